-- How many findings fell into the period.
SELECT count(*) AS number
FROM findings
WHERE state <> 'superseded' AND first_seen < $end AND last_seen >= $begin

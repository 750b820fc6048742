-- Why lines were refused.
WITH reasons AS (
    SELECT unnest(json_keys(refused_reasons)) AS reason, refused_reasons
    FROM custody
    WHERE minute >= $begin AND minute < $end AND refused > 0
)
SELECT reason, sum(json_extract(refused_reasons, concat('$."', replace(reason, '"', '\"'), '"'))::HUGEINT) AS lines
FROM reasons
GROUP BY reason
ORDER BY lines DESC, reason
LIMIT 20

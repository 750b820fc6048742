/*
id         = "LOGS-10"
title      = "The control itself failed"
kind       = "state"
severity   = "medium"
every      = "1m"
looks_back = "365d"
in_change_window = "never"
finds = """
What people and this product promised to do was not done: a review was not signed in time, an answer that no log can give (an
attestation) ran out, a finding waits for a person longer than it may, a detector fails, an alert could not be delivered. And
for a day: a detector's query is another one than before, or somebody added a suppression; both are events of the control."""
blind_spots = """
A service that does not run judges nothing, itself included: watch `/healthz` and the age of the newest pack from outside. A
detector that nobody asked to run, and an attestation that nobody ever gave, are not overdue. Reviews are asked for once this
installation has listened as long as the interval."""
runbook = """
1. `what` and `name`: a finding that waits? Acknowledge it (`hsmtrail findings ack`) and say who takes it.
2. A detector fails? `because` is its error: `hsmtrail detectors test`, then mend its file; what it missed is judged afterwards.
3. Alerts not delivered? `because` is the answer of the mail or web server; `hsmtrail status` shows what waits.
4. A review or an attestation overdue since `since`? Sign it, or name a deputy: holidays are no reason for the log.
5. A detector changed or a suppression added: who did, and was it agreed? Nobody approves one about themselves."""
recommendations = ["4.3", "4.4", "3.3"]
frameworks = ["PCI DSS 4.0.1 10.4.1", "PCI DSS 4.0.1 10.4.3", "PCI DSS 4.0.1 10.7.2", "NIST SP 800-53 AU-6", "CIS Controls v8 8.11", "CA/B NSR 3c-g", "SOC 2 CC4.1", "SOC 2 CC7.3"]
attack = { version = "19", techniques = ["T1685"] }

[parameters]
review_days  = { default = 7, why = "CIS 8.11 scores nothing beyond a week; PCI DSS wants 1." }
answer_within = { default = { critical = 15, high = 240, medium = 1440 }, why = "Minutes that an open finding may wait for a person, by its severity." }
attempts     = { default = 2, why = "A delivery that failed so often is no hiccup." }
ignore       = { default = ["LOGS-10"], why = "Detectors whose findings need no acknowledgement: this one would wait for itself." }
*/
WITH began AS (
    SELECT min(minute) AS began_at FROM custody WHERE minute <= $window_end AND listener <> 'import'
),
review AS (
    SELECT max(signed_at) AS signed_at FROM reviews WHERE signed_at <= $window_end
),
newest_answers AS (
    SELECT id, max(valid_until) AS valid_until FROM attestations WHERE given_at <= $window_end GROUP BY id
),
waiting AS (
    SELECT *, date_diff('minute', opened_at, $window_end) AS minutes
    FROM open_findings
    WHERE opened_at <= $window_end AND NOT list_contains($ignore, detector)
      AND opened_at < $window_end - to_minutes(CAST($answer_within[severity] AS BIGINT))
),
newest_runs AS (  -- of each version of each detector, and what came before it
    SELECT detector, version, state, started_at, finished_at, error, times,
        lag(version) OVER (PARTITION BY detector ORDER BY finished_at, started_at) AS version_before
    FROM runs
    WHERE finished_at BETWEEN $window_start AND $window_end
),
failing AS (
    SELECT * FROM newest_runs
    QUALIFY row_number() OVER (PARTITION BY detector ORDER BY finished_at DESC, started_at DESC) = 1 AND state = 'failed'
),
changed AS (
    SELECT detector, min(started_at) AS changed_at FROM newest_runs
    WHERE version_before <> version AND started_at > $window_end - INTERVAL 1 DAY
    GROUP BY detector
)
SELECT
    'review overdue'                                                AS subject,
    coalesce(signed_at, began_at)                                         AS first_seen,
    coalesce(signed_at, began_at)                                         AS last_seen,
    'medium'                                                        AS severity,
    ''                                                              AS device,
    'review overdue'                                                AS what,
    'review'                                                        AS name,
    coalesce(signed_at, began_at)                                         AS since,
    if(signed_at IS NULL, 'never signed', 'last signed then')       AS because,
    CAST([] AS UBIGINT[])                                           AS evidence
FROM began, review
WHERE began_at < $window_end - to_days($review_days) AND (signed_at IS NULL OR signed_at < $window_end - to_days($review_days))
UNION ALL
SELECT 'attestation ' || id || ' ran out', valid_until, valid_until, 'medium', '', 'attestation ran out', id, valid_until, 'its last answer is no longer valid', []
FROM newest_answers
WHERE valid_until < $window_end
UNION ALL
SELECT
    concat('finding ', id, ' waits'), opened_at, opened_at, if(severity = 'critical', 'high', 'medium'), device, 'finding waits for a person',
    concat(detector, ' ', subject), opened_at, concat(severity, ' for ', minutes, ' minutes'), []
FROM waiting
UNION ALL
SELECT 'detector ' || detector || ' fails', started_at, finished_at, 'high', '', 'detector fails', detector, started_at, error, []
FROM failing
UNION ALL
SELECT
    concat('alert ', id, ' to ', sink), created_at, created_at, if(state = 'dead', 'high', 'medium'), '',
    if(state = 'dead', 'alert was given up', 'alert is not delivered'), sink, created_at, last_error, []
FROM outbox
WHERE created_at BETWEEN $window_end - INTERVAL 30 DAY AND $window_end AND (state = 'dead' OR state = 'waiting' AND attempts >= $attempts)
UNION ALL
SELECT 'detectors changed', min(changed_at), max(changed_at), 'low', '', 'detectors changed', string_agg(detector, ', ' ORDER BY detector), min(changed_at), 'their files are others than before', []
FROM changed
HAVING count(*) > 0
UNION ALL
SELECT
    concat('suppression ', id, ' of ', detector), starts_at, starts_at, 'low', '', 'suppression added', detector, starts_at,
    concat(reason, ' (', owner, ')'), []
FROM suppressions
WHERE added_by <> 'configuration' AND starts_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end
ORDER BY subject

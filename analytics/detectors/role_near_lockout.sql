/*
id         = "AUTH-02"
title      = "Role close to its lockout"
kind       = "episodes"
severity   = "medium"
every      = "live"
looks_back = "30d"
watches    = "operation = 'login' AND role <> 'so' AND (strike OR role <> '' OR family = 'hsm_audit')"
in_change_window = "lower"
finds = """
A Partition SO, Crypto Officer, Crypto User or Auditor has failed to log in so many times in a row that the limit is
near, or is locked already: 30 % of the limit is medium, 50 % high, 80 % critical. Failures of different people against
the same role add up. What no number tells (an unknown role, old firmware) is judged by the strictest limit."""
blind_spots = """
The limit of the Crypto roles is the partition's policy 20, at most 10: say so where it is lower ([[partition]] limits). A reset of a
role's password is not seen as a reset of its count. Failures more than 30 days apart are two streaks here."""
runbook = """
1. An application with an old password? `failures` rise steadily from one client: tell its owner, stop the job.
2. `tries_left` says how many remain, `consequence` what happens then. Stop the attempts before you look further.
3. Let the role's owner log in once with the right credential: success sets the count to zero (`ended`).
4. `locked` is true? For `au` wait ten minutes; for `co` and `cu` the Partition SO resets, if HSM policy 15 is on.
5. Nobody owns the attempts? Open an incident and keep the lines in evidence."""
recommendations = ["2.2", "3.2"]
frameworks = ["PCI DSS 4.0.1 10.2.1.4", "CA/B NSR 2k", "NIST SP 800-53 AU-6"]
attack = { version = "19", techniques = ["T1110.001", "T1531"] }

[parameters]
limits   = { default = { po = 10, co = 10, lco = 10, cu = 10, au = 3 }, why = "Failures in a row before the HSM acts; the Auditor's is 3 or 10 by release, the lower one is safe." }
medium   = { default = 30, why = "Percent of the limit from which on it is medium." }
high     = { default = 50, why = "Percent of the limit from which on it is high." }
critical = { default = 80, why = "Percent of the limit from which on it is critical." }
*/
WITH failed AS (
    SELECT record_id, event_at, role, family, account, source, client, coalesce(partition, '') AS part, coalesce(strike, false) AS counted,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form,
        coalesce(regexp_matches(return_name, 'PIN_INCORRECT_CONTAINER|CONTAINER_LOCKED|PIN_LOCKED|PARTITION_LOCKED|USER_LOCKED_OUT|AUDIT_LOGIN_FAILURE_THRESHOLD'), false)
            OR coalesce(return_code IN (10485761, 10485762, 2147483657, 2147486986, 2147483708, 3221225736, 3221229568, 2147483655, 164), false)  AS locked
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation = 'login' AND outcome = 'failed' AND role <> 'so' AND family IN ('hsm_audit', 'lunash', 'ntls')
      AND coalesce(command NOT LIKE 'token %', true) AND coalesce((details->>'target'), '') <> 'backup token'
),
strikes AS (
    SELECT * FROM failed WHERE counted OR (locked AND (role <> '' OR family = 'hsm_audit'))
),
struck AS (SELECT DISTINCT hsm, part, role FROM strikes),
succeeded AS (  -- of the same roles, since the first strike; a shell login says nothing about roles of the HSM
    SELECT record_id, event_at, events.role, part, hsm
    FROM events
    JOIN struck ON struck.role = events.role AND part = coalesce(partition, '')
        AND hsm = coalesce(nullif(events.device, ''), nullif(host, ''), peer)
    WHERE event_at BETWEEN $window_start AND $window_end AND event_at >= (SELECT min(event_at) FROM strikes)
      AND operation = 'login' AND outcome = 'ok' AND (events.role <> '' OR family = 'hsm_audit')
),
after_success AS (
    SELECT strikes.*, succeeded.event_at AS success_at
    FROM strikes
    ASOF LEFT JOIN succeeded ON succeeded.hsm = strikes.hsm AND succeeded.part = strikes.part
        AND succeeded.role = strikes.role AND succeeded.event_at < strikes.event_at
),
steps AS (
    SELECT *,
        coalesce(success_at >= lag(event_at) OVER before, false)
            OR coalesce(event_at - lag(event_at) OVER before > $looks_back, true) AS begins
    FROM after_success
    WINDOW before AS (PARTITION BY hsm, part, role ORDER BY event_at)
),
streaks AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, part, role ORDER BY event_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS streak
    FROM steps
),
witnesses AS (  -- one try is told by up to three forms of lines: the form that tells most tries says how many there were
    SELECT hsm, part, role, streak, form,
        count_if(counted)                                               AS tries,
        min(event_at)                                                   AS first_seen,
        max(event_at)                                                   AS last_seen,
        bool_or(locked)                                                 AS locked,
        list(DISTINCT source) FILTER (source IS NOT NULL)               AS sources,
        list(DISTINCT coalesce(client, account)) FILTER (coalesce(client, account) IS NOT NULL) AS who,
        list(record_id)                                                 AS records
    FROM streaks
    GROUP BY ALL
),
told AS (
    SELECT hsm, part, role, streak,
        min(first_seen)                                             AS first_seen,
        max(last_seen)                                              AS last_seen,
        max(tries)                                                  AS failures,
        bool_or(locked)                                             AS locked,
        list_sort(list_distinct(flatten(list(sources))))            AS sources,
        list_sort(list_distinct(flatten(list(who))))                AS who,
        flatten(list(records))                                      AS records
    FROM witnesses
    GROUP BY ALL
),
declared AS (  -- what the site says of single partitions, by whatever a line names them
    SELECT device, unnest([container, serial, label]) AS part, kind, limits FROM partitions
),
limited AS (
    SELECT told.*,
        CASE WHEN told.role <> '' THEN coalesce(TRY_CAST(json_extract_string(declared.limits, told.role) AS INTEGER), $limits[told.role], list_min(map_values($limits)))
             WHEN kind = 'application' THEN list_min(list_transform(['po', 'co', 'lco', 'cu'], lambda one: coalesce(TRY_CAST(json_extract_string(declared.limits, one) AS INTEGER), $limits[one])))
             ELSE list_min(map_values($limits)) END  AS allowed,
        CASE told.role
            WHEN 'po' THEN 'the partition is zeroized, with every key in it'
            WHEN 'co' THEN 'Crypto Officer and Crypto User are locked, for good unless HSM policy 15 is on'
            WHEN 'lco' THEN 'the role is locked until a higher role resets it'
            WHEN 'cu' THEN 'the role is locked until a higher role resets it'
            WHEN 'au' THEN 'the Auditor is locked for ten minutes'
            ELSE concat('at worst ', if(coalesce(kind = 'application', false), 'the partition is zeroized', 'the HSM erases itself'), ': no line names the role') END  AS outcome
    FROM told
    LEFT JOIN declared ON declared.device = told.hsm AND declared.part = told.part AND told.part <> ''
),
counted AS (
    SELECT limited.*,
        coalesce(succeeded.event_at <= limited.last_seen + $looks_back, false)  AS ended,
        list_sort(if(succeeded.event_at <= limited.last_seen + $looks_back, list_append(limited.records, succeeded.record_id), limited.records))  AS evidence
    FROM limited
    ASOF LEFT JOIN succeeded ON succeeded.hsm = limited.hsm AND succeeded.part = limited.part
        AND succeeded.role = limited.role AND succeeded.event_at >= limited.last_seen
)
SELECT
    concat(if(role = '', 'unknown role', role), ' on ', hsm, if(part = '', '', ' partition ' || part))  AS subject,
    first_seen,
    last_seen,
    CASE WHEN locked OR failures * 100 >= allowed * $critical THEN 'critical'
         WHEN failures * 100 >= allowed * $high THEN 'high'
         WHEN failures * 100 >= allowed * $medium THEN 'medium' END  AS severity,  -- fewer: no finding, yet a streak
    hsm                                              AS device,
    failures,
    if(locked, 0, greatest(allowed - failures, 0))   AS tries_left,
    ended,
    locked,
    CASE WHEN ended THEN 'none: a login succeeded, the count began anew'
         WHEN locked OR failures >= allowed THEN 'the limit is reached: ' || outcome
         ELSE format('after {} more {}', allowed - failures, outcome) END  AS consequence,
    sources,
    who,
    evidence
FROM counted
ORDER BY first_seen, subject

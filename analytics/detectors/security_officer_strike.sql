/*
id         = "AUTH-01"
title      = "Wrong password of the HSM Security Officer"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30d"
watches    = "operation IN ('zeroize', 'hsm_init', 'factory_reset') OR operation = 'login' AND (role = 'so' OR family = 'lunash' AND role = '' AND pattern <> 'lunash.login')"
in_change_window = "decommission"
finds = """
Somebody gave a wrong Security Officer password or PED key. The HSM counts to three and then erases itself with every
partition and key; it never forgets a failure until a login succeeds. The first failure is high, the second without a
success between is critical, and so is the line that says it is done. Failures at a backup token are a subject of
their own: three of them erase the backup, not the HSM."""
blind_spots = """
A PED prompt that nobody answers and an empty password are no failures, and the HSM counts none. Failures more than 30
days apart are two streaks here and one in the HSM. Firmware 7.0.3 names no role in audit records: AUTH-02 has those."""
runbook = """
1. Stop all attempts now: call whoever is behind `accounts` and `sources`; if nobody answers, block `sources`.
2. Do not 'try once more'. `tries_left` is all there is, and waiting gives no try back.
3. Let the Security Officer log in once with the right credential: success sets the count to zero (`ended`).
4. Check last night's backup of every partition before anything else is tried.
5. `zeroized` is true? Call the key custodians, keep the lines in evidence, start the restore plan.
6. A planned decommission? Record the change with kind decommission, and this falls to info."""
recommendations = ["2.2", "3.2", "5.4"]
frameworks = ["PCI DSS 4.0.1 10.2.1.4", "PCI DSS 4.0.1 8.3.4", "NIST SP 800-53 AU-6", "CA/B BR 5.4.1(3)", "SOC 2 CC7.2"]
attack = { version = "19", techniques = ["T1110.001", "T1485"] }

[parameters]
limit         = { default = 3, why = "Wrong passwords in a row before the HSM erases itself; fixed by the firmware." }
critical_from = { default = 2, why = "From this failure in a row on, one more may be the last." }
*/
WITH acts AS (
    SELECT record_id, event_at, account, source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                    AS hsm,
        family = 'lunash' AND coalesce(command LIKE 'token %' OR (details->>'target') = 'backup token', false)  AS token,
        concat_ws(' ', family, pattern)                                                         AS form,
        operation = 'login' AND outcome = 'failed'                                              AS failed,
        operation = 'login' AND outcome = 'ok'                                                  AS succeeded,
        operation <> 'login'                                                                    AS erased,
        (operation = 'zeroize' AND command IS NULL AND vendor_event IS NULL)
            OR (operation = 'login' AND coalesce(return_code IN (3145743, 2147483676), false))  AS zeroized
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation IN ('login', 'zeroize', 'hsm_init', 'factory_reset')
      AND (operation <> 'login' OR role = 'so' OR family = 'lunash' AND pattern <> 'lunash.login')  -- not those of the shell's users
      AND (   operation = 'login' AND role = 'so' AND (strike OR outcome = 'ok')
           OR operation = 'login' AND family = 'lunash' AND (command LIKE 'token %' OR (details->>'target') = 'backup token')
           OR operation IN ('zeroize', 'hsm_init', 'factory_reset') AND outcome <> 'failed')
),
steps AS (  -- a streak ends with a success or an erasure; other witnesses of the erasure come within two minutes
    SELECT *,
        coalesce(lag(succeeded) OVER before
            OR event_at - lag(event_at) OVER before > $looks_back
            OR (lag(erased OR zeroized) OVER before AND event_at - lag(event_at) OVER before > INTERVAL 2 MINUTE),
            true) AS begins
    FROM acts
    WINDOW before AS (PARTITION BY hsm, token ORDER BY event_at, succeeded, erased, record_id)
),
streaks AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, token ORDER BY event_at, succeeded, erased, record_id) AS streak
    FROM steps
),
witnesses AS (  -- one try is told by up to three forms of lines: the form that tells most tries says how many there were
    SELECT hsm, token, streak, form,
        count_if(failed)                                                 AS tries,
        min(event_at) FILTER (failed OR zeroized)                        AS first_seen,
        max(event_at) FILTER (failed OR zeroized)                        AS last_seen,
        bool_or(succeeded)                                               AS ended,
        bool_or(zeroized)                                                AS zeroized,
        list(DISTINCT source) FILTER (failed AND source IS NOT NULL)     AS sources,
        list(DISTINCT account) FILTER (failed AND account IS NOT NULL)   AS accounts,
        list(record_id ORDER BY event_at, record_id)                     AS records
    FROM streaks
    GROUP BY ALL
),
counted AS (
    SELECT hsm, token, streak,
        min(first_seen)                                             AS first_seen,
        max(last_seen)                                              AS last_seen,
        max(tries)                                                  AS failures,
        bool_or(ended)                                              AS ended,
        bool_or(zeroized)                                           AS zeroized,
        list_sort(list_distinct(flatten(list(sources))))            AS sources,
        list_sort(list_distinct(flatten(list(accounts))))           AS accounts,
        list_sort(list_distinct(flatten(list(records))))            AS evidence
    FROM witnesses
    GROUP BY ALL
    HAVING max(tries) > 0 OR bool_or(zeroized)
)
SELECT
    if(token, 'backup token on ', 'so on ') || hsm     AS subject,
    first_seen,
    last_seen,
    CASE WHEN zeroized THEN 'critical'
         WHEN token THEN if(failures >= $critical_from, 'high', 'medium')
         WHEN failures >= $critical_from THEN 'critical'
         ELSE 'high' END                               AS severity,
    hsm                                                AS device,
    failures,
    if(zeroized, 0, greatest($limit - failures, 0))    AS tries_left,
    ended,
    zeroized,
    CASE WHEN zeroized THEN if(token, 'the backup token has erased itself', 'the HSM has erased itself')
         WHEN ended THEN 'none: a login succeeded, the count began anew'
         ELSE format('after {} more the {} erases itself', greatest($limit - failures, 0), if(token, 'backup token', 'HSM'))
         END                                           AS consequence,
    sources,
    accounts,
    evidence
FROM counted
ORDER BY first_seen, subject

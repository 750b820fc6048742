/*
id         = "AUTH-05"
title      = "Somebody at the serial console"
kind       = "episodes"
severity   = "critical"
every      = "live"
looks_back = "1h"
watches    = "family IN ('lunash', 'system') AND (source = 'Console' OR pattern LIKE '%console%' OR account = 'recover') OR operation = 'factory_reset'"
in_change_window = "never"
finds = """
Somebody works at the serial console of the appliance who is not the provider's monitor, or uses the account `recover`,
which exists there only, or tries a factory reset, which is possible only there. Whoever is there stands at the rack."""
blind_spots = """
Who holds the monitor's password at the console passes as the monitor: AUTH-06 looks at what it does. What somebody does
at the rack without logging in leaves no line but those of HARD-01 and HARD-02."""
runbook = """
1. Who is at the rack of `device` now? Ask the data centre, or open a case with the provider and ask for its own.
2. A visit under a support case? Write the case into the finding and close it as expected when the visit is over.
3. Nobody's? `commands` says what was done. Compare the configuration with the baseline (CONF-07), look for HARD-01,
   and take the keys of the device out of use until it is settled.
4. `accounts` has `recover`? The admin password was reset, or somebody tried: treat every account of the device as taken."""
recommendations = ["2.3", "3.4"]
frameworks = ["CA/B BR 5.4.1(3)(7)", "PCI DSS 4.0.1 9.2.4", "NIST SP 800-53 AU-6(6)"]
attack = { version = "19", techniques = ["T1078.003"] }

[parameters]
expected = { default = ["monitor"], why = "Accounts that the provider polls with at the console." }
*/
WITH acts AS (
    SELECT record_id, event_at, account, command, operation, outcome,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (family = 'lunash' AND source = 'Console' AND account IS NOT NULL AND NOT list_contains($expected, account)
           OR family = 'system' AND operation = 'login' AND pattern LIKE '%console%' AND NOT list_contains($expected, coalesce(account, ''))
           OR family IN ('lunash', 'system') AND account = 'recover'
           OR operation = 'factory_reset' AND coalesce(command = 'hsm factoryreset', true))
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > INTERVAL 30 MINUTE, true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
)
SELECT
    'console of ' || hsm                                                          AS subject,
    min(event_at)                                                                 AS first_seen,
    max(event_at)                                                                 AS last_seen,
    hsm                                                                           AS device,
    coalesce(list_sort(list(DISTINCT account) FILTER (account IS NOT NULL)), [])  AS accounts,
    count(*) FILTER (operation = 'login' AND outcome = 'failed')                  AS failed_logins,
    coalesce(list_sort(list(DISTINCT command) FILTER (command IS NOT NULL)), [])  AS commands,
    list_sort(list(record_id))                                                    AS evidence
FROM runs
GROUP BY hsm, run
ORDER BY first_seen, subject

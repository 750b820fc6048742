/*
id         = "HARD-01"
title      = "Tamper, decommission or transport mode"
kind       = "episodes"
severity   = "critical"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('tamper', 'decommission', 'transport_mode_set') OR vendor_event IN ('ALM1001', 'ALM1003')"
in_change_window = "never"
finds = """
The HSM says that it was tampered with, decommissioned, taken off its bus, or that it must be restarted after that; or
somebody moved it into or out of transport mode, or cleared a tamper. Boot loader, firmware and driver tell the same
thing up to three times: within ten minutes that is one finding."""
blind_spots = """
A tamper that was told once is not told again until somebody clears it. Alarms that a boot reads out again look new. The
syslog severity of these lines is info: a sender that filters by severity hides them all."""
runbook = """
1. `what` and `texts` say what the HSM saw. Is anybody at the rack of `device`, is the provider working on it? Note the case.
2. Decommissioned or hard tamper: keys are gone. Call the key custodians, start the restore plan, keep the lines in evidence.
3. Soft tamper by temperature or voltage: look at HARD-02 for the cause; the HSM works again after a restart.
4. `accounts` is not empty: a person cleared a tamper or set the transport mode; match it with a ticket."""
recommendations = ["4.1", "4.3", "5.4"]
frameworks = ["PCI DSS 4.0.1 9.4", "CA/B BR 5.4.1(3)(5)", "NIST SP 800-53 AU-6(6)", "FIPS 140-3 level 3"]
attack = { version = "19", techniques = [] }

[parameters]
apart_minutes = { default = 10, why = "So near each other the same thing is told by boot loader, firmware and driver." }
*/
WITH acts AS (
    SELECT record_id, event_at, account, source, vendor_event, command,
        coalesce((details->>'text'), '')                      AS text,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        CASE WHEN vendor_event IN ('ALM1001', 'ALM1003') THEN 'restart required'
             WHEN operation = 'transport_mode_set' THEN 'transport mode'
             ELSE operation END                               AS what
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (operation IN ('tamper', 'decommission') OR operation = 'transport_mode_set' AND outcome <> 'failed'
           OR vendor_event IN ('ALM1001', 'ALM1003'))
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, what ORDER BY event_at) > to_minutes($apart_minutes), true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, what ORDER BY event_at) AS run
    FROM steps
)
SELECT
    what || ' on ' || hsm  AS subject,
    min(event_at)          AS first_seen,
    max(event_at)          AS last_seen,
    hsm                    AS device,
    what,
    coalesce(list_sort(list(DISTINCT vendor_event) FILTER (vendor_event IS NOT NULL)), [])  AS alarms,
    coalesce(list_sort(list(DISTINCT text) FILTER (text <> '')), [])                        AS texts,
    coalesce(list_sort(list(DISTINCT command) FILTER (command IS NOT NULL)), [])            AS commands,
    coalesce(list_sort(list(DISTINCT account) FILTER (account IS NOT NULL)), [])            AS accounts,
    list_sort(list(record_id))                                                              AS evidence
FROM runs
GROUP BY hsm, what, run
ORDER BY first_seen, subject

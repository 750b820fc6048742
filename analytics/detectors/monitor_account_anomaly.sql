/*
id         = "AUTH-06"
title      = "The provider's monitor account does what it should not, or is not heard"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "6h"
watches    = "family NOT IN ('hsm_audit', 'alarm', 'snmp', 'other')"
in_change_window = "lower"
finds = """
The monitor account polls from the serial console every ten minutes, reads and leaves. Over the network, with a command
that is more than reading, or where the configuration says that it is switched off, it is somebody else: high. When
its polls stay away for an hour while the appliance talks on, nobody watches the hardware: medium."""
blind_spots = """
A monitor that was never heard is not missed, and one that stays away is told of for six hours. A silent appliance is
LOGS-01's. Where the polls leave no line, switch the gap off with a high `gap_minutes`."""
runbook = """
1. `what` says what is odd, `commands` and `sources` from where. Is it your own use of the account? Allow that source with an
   end date, and use an account of your own.
2. Over the network and not yours: disable the account, look at what else came from `sources`, tell the provider.
3. Not heard: `user list` shows whether the account is disabled; AUTH-08 says by whom. Ask the provider whether it still polls.
4. Switched off on purpose? Say so: microsoft_monitor = false."""
recommendations = ["3.4", "4.1"]
frameworks = ["PCI DSS 4.0.1 10.7.2", "NIST SP 800-53 AU-6", "SOC 2 CC7.2"]
attack = { version = "19", techniques = ["T1078.001"] }

[parameters]
account     = { default = "monitor", why = "As the appliance calls it." }
reading     = { default = ["read", "session"], why = "Classes of commands that a monitor may use." }
gap_minutes = { default = 60, why = "Six polls." }
*/
WITH polls AS (
    SELECT record_id, event_at, operation, outcome, command, command_class, source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND account = $account
      AND family IN ('lunash', 'sshd') AND (operation = 'login' AND outcome = 'ok' OR command IS NOT NULL)
),
odd AS (
    SELECT polls.*,
        CASE WHEN source IS NOT NULL AND source <> 'Console' THEN 'over the network'
             WHEN command IS NOT NULL AND NOT list_contains($reading, command_class) THEN 'more than a reader'
             WHEN NOT coalesce(devices.microsoft_monitor, true) THEN 'declared as switched off'
        END AS what
    FROM polls
    LEFT JOIN devices ON devices.name = hsm
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, what ORDER BY event_at) > INTERVAL 30 MINUTE, true) AS begins
    FROM odd
    WHERE what IS NOT NULL
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, what ORDER BY event_at) AS run
    FROM steps
),
minutes AS (  -- of appliances that are polled: a minute in which they said something is one row
    SELECT device AS hsm, date_trunc('minute', event_at) AS minute, max(event_at) AS last,
        bool_or(account = $account AND family = 'lunash' AND operation = 'login' AND outcome = 'ok')                      AS polled,
        max(event_at) FILTER (account = $account AND family = 'lunash' AND operation = 'login' AND outcome = 'ok')        AS polled_at,
        arg_max(record_id, (event_at, record_id))                                                                         AS record_id,
        arg_max(record_id, (event_at, record_id)) FILTER (account = $account AND operation = 'login' AND outcome = 'ok')  AS poll_record
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family NOT IN ('hsm_audit', 'alarm', 'snmp', 'other')
      AND device IN (SELECT name FROM devices WHERE microsoft_monitor)
    GROUP BY ALL
),
talking AS (  -- a silence of the whole appliance is no gap of the monitor's
    SELECT *, coalesce(minute - lag(minute) OVER (PARTITION BY hsm ORDER BY minute) > INTERVAL 30 MINUTE, true) AS begins
    FROM minutes
),
since_poll AS (
    SELECT *,
        max(polled_at) OVER near                                            AS last_poll,
        arg_max(poll_record, minute) FILTER (polled) OVER near              AS last_poll_record,
        max(if(coalesce(polled, false) OR begins, minute, NULL)) OVER near  AS since
    FROM talking
    WINDOW near AS (PARTITION BY hsm ORDER BY minute RANGE BETWEEN INTERVAL 6 HOUR PRECEDING AND CURRENT ROW)
),
gaps AS (
    SELECT hsm, last_poll, any_value(last_poll_record) AS last_poll_record, max(last) AS last, arg_max(record_id, minute) AS record_id,
        max(since) AS since
    FROM since_poll
    WHERE last_poll IS NOT NULL AND minute - since > to_minutes($gap_minutes)
    GROUP BY hsm, last_poll
)
SELECT
    concat($account, ' ', what, ' on ', hsm)  AS subject,
    min(event_at)                             AS first_seen,
    max(event_at)                             AS last_seen,
    'high'                                    AS severity,
    hsm                                       AS device,
    what,
    NULL                                                                          AS minutes,
    coalesce(list_sort(list(DISTINCT command) FILTER (command IS NOT NULL)), [])  AS commands,
    coalesce(list_sort(list(DISTINCT source) FILTER (source IS NOT NULL)), [])    AS sources,
    list_sort(list(record_id))                                                    AS evidence
FROM runs
GROUP BY hsm, what, run
UNION ALL
SELECT
    concat($account, ' not heard on ', hsm),
    last_poll,
    last,
    'medium',
    hsm,
    'not heard while the appliance was',
    CAST(date_sub('minute', last_poll, last) AS BIGINT),
    [],
    [],
    [last_poll_record, record_id]
FROM gaps
ORDER BY first_seen, subject

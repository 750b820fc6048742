/*
id         = "CONF-06"
title      = "Network identity or routing changed"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "1h"
in_change_window = "never"
finds = """
An address, a route, the host name, a name server, the firewall or a binding of the appliance was changed. A wrong one cuts
the only path to the device: the service provider can then only reset it, and all its keys are gone. So this is never
lowered, approved or not. Critical when nothing at all was heard of the device in the minutes after the change while
others, or later the device itself, went on."""
blind_spots = """
What is changed in the cloud (routes, peerings, firewalls, the gateway) leaves no line on the HSM. Silence is judged when a
later line shows that time went on: LOGS-01 tells of a device that is silent now. A client's address in the HSM's own list is
NTLS-03's."""
runbook = """
1. `silent`? Try the device's old and new address from the jump host now, before anybody restarts anything: `settings` has
   the new one. Whoever did it (`accounts`, `sources`) may still have the session open: it is the way back.
2. No way in? Call the service provider before you ask for a reset: a reset erases every key. Find the newest backup first.
3. Not silent: is there a ticket? Did all clients come back (NTLS-04)? Then close it as expected.
4. Not planned? `commands` has the words: put it back in a change window, with somebody at the other end of the line."""
recommendations = ["1.1", "1.2", "1.3", "1.4", "1.5"]
frameworks = ["PCI DSS 4.0.1 10.2.1.2", "SOC 2 CC7.1", "CA/B BR 5.4.1.1"]
attack = { version = "19", techniques = ["T1599"] }

[parameters]
elsewhere      = { default = ["client ", "ped ", "cluster"], why = "Beginnings of settings that are of the network, but not of the appliance's own identity." }
bindings       = { default = ["ssh device", "ssh ip"], why = "Settings of other commands that bind a service to a part of the network." }
silent_minutes = { default = 10, why = "The service provider's monitor account alone gives a line every ten minutes." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command, account, source, setting, value,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND operation IN ('network_set', 'ssh_set')
      AND (operation = 'network_set' AND len(list_filter($elsewhere, lambda one: starts_with(coalesce(setting, ''), one))) = 0
           OR list_contains($bindings, setting))
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
),
heard AS (  -- seconds in which a device said something; nothing is read unless there was a change
    SELECT DISTINCT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, date_trunc('second', event_at) AS moment
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND EXISTS (FROM acts)
),
ends AS (
    SELECT hsm, run, max(event_at) AS ended FROM runs GROUP BY ALL
),
aftermath AS (  -- its session may still say a word in the first minute
    SELECT ends.hsm, run,
        bool_or(heard.hsm = ends.hsm AND moment > ended + INTERVAL 1 MINUTE AND moment <= ended + to_minutes($silent_minutes))  AS heard,
        bool_or(moment > ended + to_minutes($silent_minutes))                                                              AS went_on
    FROM ends
    JOIN heard ON moment > ended AND moment <= ended + $looks_back
    GROUP BY ALL
),
witnesses AS (
    SELECT hsm, run, form, count(*) AS changes, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT concat_ws(' = ', setting, value)) FILTER (setting IS NOT NULL)  AS settings,
        list(DISTINCT command) FILTER (command IS NOT NULL)                           AS commands,
        list(DISTINCT account) FILTER (account IS NOT NULL)                           AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                             AS sources,
        list(record_id)                                                               AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    'network of ' || hsm                                                              AS subject,
    min(first_seen)                                                                   AS first_seen,
    max(last_seen)                                                                    AS last_seen,
    if(coalesce(bool_or(went_on AND NOT heard), false), 'critical', 'high')           AS severity,
    hsm                                                                               AS device,
    coalesce(bool_or(went_on AND NOT heard), false)                                   AS silent,
    max(changes)                                                                      AS changes,
    list_sort(list_distinct(flatten(list(settings))))                                 AS settings,
    list_sort(list_distinct(flatten(list(commands))))                                 AS commands,
    list_sort(list_distinct(flatten(list(accounts))))                                 AS accounts,
    list_sort(list_distinct(flatten(list(sources))))                                  AS sources,
    list_sort(flatten(list(records)))                                                 AS evidence
FROM witnesses
LEFT JOIN aftermath USING (hsm, run)
GROUP BY hsm, run
ORDER BY first_seen, subject

/*
id         = "NTLS-01"
title      = "Unknown client, new address, or past the appliance in front"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "2h"
watches    = "family = 'ntls' AND source IS NOT NULL"
in_change_window = "lower"
on_new_device    = "lower"
needs = { clients = "clients that nobody declared", client_ranges = "clients from networks that nobody declared", nva_ranges = "connections past the network appliance" }
finds = """
A client has connected that nobody declared for this device, or a declared one from another address; somebody connects
directly to a device that stands behind a network appliance; or a stranger knocks at the HSM's port, three times in ten minutes."""
blind_spots = """
Behind a network appliance or a translator all clients have one address: then only their names tell them apart. Without
declared clients and networks, only those that never get in are strangers."""
runbook = """
1. `what` says what is wrong with `client` at `source`. Ask the owner of the application, or of the network.
2. A new server of a known application? Declare it ([[client]], or a [[range]] with use "client" for those that scale by themselves).
3. A health probe of a load balancer? Declare its network with use "probe".
4. Nobody's: `client delete`, and close the way from `source` to port 1792; look for NTLS-03 before `first_seen`.
5. Past the network appliance: somebody has a route that should not be there; tell whoever owns the network."""
recommendations = ["1.1", "1.2", "1.3", "1.4", "1.5"]
frameworks = ["CA/B NSR 3c", "SOC 2 CC6.6", "PCI DSS 4.0.1 10.2.1.4", "NIS2 2024/2690 3.2 (a)"]
attack = { version = "19", techniques = ["T1133", "T1046"] }

[parameters]
tries = { default = 3, why = "So often within ten minutes a stranger knocks before it is told." }
nobody = { default = "Unknown host name", why = "What NTLS calls a client that it does not know." }
*/
WITH lines AS (
    SELECT record_id, event_at, source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                                            AS hsm,
        concat_ws(' ', family, pattern)                                                                                 AS form,
        if(client = $nobody, NULL, client)                                                                              AS client,
        operation = 'connection_open' AND outcome = 'ok' AND client IS NOT NULL AND client <> $nobody                   AS got_in,
        operation = 'connection_refused' OR coalesce(client = $nobody, false)                                           AS refused,
        operation IN ('connection_open', 'connection_refused') AND client IS NULL OR coalesce(client = $nobody, false)  AS knocked
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'ntls' AND source IS NOT NULL
),
told AS (
    SELECT hsm, source, client,
        coalesce((SELECT behind_nva FROM devices WHERE name = hsm LIMIT 1), false)                                          AS behind,
        EXISTS (FROM ranges WHERE list_contains(use, 'nva') AND address_key(source) BETWEEN first AND last)                 AS through,
        EXISTS (FROM ranges WHERE list_contains(use, 'probe') AND address_key(source) BETWEEN first AND last)               AS probe,
        EXISTS (FROM ranges WHERE list_has_any(use, ['client', 'nva']) AND address_key(source) BETWEEN first AND last)      AS in_range,
        EXISTS (FROM clients WHERE (len(devices) = 0 OR list_contains(devices, hsm)) AND list_contains(addresses, source))  AS of_client,
        EXISTS (FROM clients WHERE name = client AND (len(devices) = 0 OR list_contains(devices, hsm)))                     AS known,
        EXISTS (FROM clients WHERE name = client AND (len(devices) = 0 OR list_contains(devices, hsm))
                AND (len(addresses) = 0 OR list_contains(addresses, source)))                                               AS at_home,
        EXISTS (FROM clients WHERE len(devices) = 0 OR list_contains(devices, hsm))  AS clients_said,
        EXISTS (FROM ranges WHERE list_contains(use, 'client'))                      AS ranges_said,
        EXISTS (FROM ranges WHERE list_contains(use, 'nva'))                         AS nva_said
    FROM (SELECT DISTINCT hsm, source, client FROM lines WHERE got_in OR knocked)
),
odd AS (  -- nearly all lines are of clients at home: they are left out before anything is counted
    SELECT lines.*, probe, in_range OR of_client AS expected, clients_said OR ranges_said AS said,
        CASE WHEN behind AND nva_said AND NOT through AND NOT probe THEN 'past the network appliance'
             WHEN NOT got_in THEN NULL
             WHEN clients_said AND NOT known THEN 'unknown client'
             WHEN clients_said AND NOT at_home AND NOT through THEN 'new address'
             WHEN ranges_said AND NOT in_range AND NOT of_client THEN 'undeclared network'
        END AS wrong
    FROM lines
    JOIN told ON told.hsm = lines.hsm AND told.source = lines.source AND told.client IS NOT DISTINCT FROM lines.client
    WHERE (got_in OR knocked) AND (NOT (in_range OR of_client) OR wrong IS NOT NULL)
),
judged AS (
    SELECT *,
        count_if(got_in) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND INTERVAL 1 HOUR FOLLOWING) AS gets_in
    FROM odd
),
knocks AS (
    SELECT *,
        count(*) OVER (PARTITION BY hsm, source, form ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) >= $tries AS hot
    FROM judged
    WHERE knocked AND wrong IS NULL AND NOT expected AND NOT probe AND gets_in = 0
      AND (said OR refused)  -- who asks may be anybody as long as nobody is declared; who is refused is not
),
members AS (
    SELECT record_id, event_at, hsm, source, form, client, wrong AS what FROM judged WHERE wrong IS NOT NULL
    UNION ALL
    SELECT record_id, event_at, hsm, source, form, client, 'knocking'
    FROM knocks
    QUALIFY bool_or(hot) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, source, what ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, source, what ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, source, what, run, form, count(*) AS times, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT client) FILTER (client IS NOT NULL) AS names, list(record_id) AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat(what, ' at ', source, ' on ', hsm)  AS subject,
    min(first_seen)                            AS first_seen,
    max(last_seen)                             AS last_seen,
    hsm                                        AS device,
    what,
    source,
    list_sort(list_distinct(flatten(list(names))))  AS client,
    max(times)                                      AS times,
    list_sort(flatten(list(records)))               AS evidence
FROM witnesses
GROUP BY hsm, source, what, run
ORDER BY first_seen, subject

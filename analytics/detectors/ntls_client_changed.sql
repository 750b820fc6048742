/*
id         = "NTLS-03"
title      = "Client registered, deleted, moved or assigned"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('client_register', 'client_delete', 'client_assign', 'client_revoke') OR operation = 'network_set' AND client IS NOT NULL"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
A client was registered, deleted or given another address, a partition was assigned to one or taken from it, or an
authority that signs clients was added: who may use keys is another than before."""
blind_spots = """
A client that is registered over the REST interface leaves no command line. Whether the certificate that was registered is
the right one no log tells."""
runbook = """
1. `settings` says what may now be used by whom; match `clients` and `partitions` with a ticket of the application.
2. No ticket? Ask whoever is in `accounts`; revoke the assignment until it is settled.
3. Expected? Declare the client ([[client]]) with its addresses and partitions, and approve the new settings.
4. An authority was added: every certificate that it signs is a client from now on. Who holds its key?"""
recommendations = ["3.1", "1.5"]
frameworks = ["PCI DSS 4.0.1 10.2.1.5", "SOC 2 CC6.2", "NIST SP 800-53 AU-2", "CSA CCM CEK-01"]
attack = { version = "19", techniques = ["T1098"] }

[parameters]
apart_minutes = { default = 10, why = "Commands so near each other are one piece of work." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, client, setting, value, account, source, partition,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND (operation IN ('client_register', 'client_delete', 'client_assign', 'client_revoke')
           OR operation = 'network_set' AND client IS NOT NULL)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > to_minutes($apart_minutes), true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
)
SELECT
    'clients of ' || hsm                                                                                   AS subject,
    min(event_at)                                                                                          AS first_seen,
    max(event_at)                                                                                          AS last_seen,
    hsm                                                                                                    AS device,
    count(*)                                                                                               AS changes,
    list_sort(list(DISTINCT operation))                                                                    AS operations,
    coalesce(list_sort(list(DISTINCT client) FILTER (client IS NOT NULL)), [])                             AS clients,
    coalesce(list_sort(list(DISTINCT partition) FILTER (partition IS NOT NULL)), [])                       AS partitions,
    coalesce(list_sort(list(DISTINCT concat_ws(' = ', setting, value)) FILTER (setting IS NOT NULL)), [])  AS settings,
    coalesce(list_sort(list(DISTINCT account) FILTER (account IS NOT NULL)), [])                           AS accounts,
    coalesce(list_sort(list(DISTINCT source) FILTER (source IS NOT NULL)), [])                             AS sources,
    list_sort(list(record_id))                                                                             AS evidence
FROM runs
GROUP BY hsm, run
ORDER BY first_seen, subject

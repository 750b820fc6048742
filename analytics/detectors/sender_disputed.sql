/*
id         = "LOGS-09"
title      = "Sender is not who it claims to be"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "2h"
in_change_window = "lower"
finds = """
A line whose witnesses name different devices (certificate, serial, address, host name); a sender that no configured device
is (low behind a declared relay: it may be the relay itself); a device's line from an address that is neither its own nor a relay's, where relays are configured at all; and a line in
clear text of a device for which a certificate is configured. Somebody may be making up records, or a device has moved."""
blind_spots = """
A host name is believed where nothing contradicts it: over UDP anybody can write one, and an address can be forged too. Only
TLS with client certificates proves a sender. Without configured devices nobody is a stranger, and without ranges of use relay
a device's line may come from anywhere. Records of one HSM that contradict each other are LOGS-02's."""
runbook = """
1. `what` and `says`: which witness disagrees? `peers` is where the lines really came from, `hosts` what they call themselves.
2. The device has a new address (CONF-06)? Add it to its `hosts`. A relay or NAT between? Add a range with use relay.
3. A new HSM? Configure it: until then its lines are kept, but judged as a stranger's.
4. Nobody knows the `peers`? Take them off the network of the collector (`[[listener]] allow`), and treat their lines as made up."""
recommendations = ["5.3", "1.5", "4.2"]
frameworks = ["NIST SP 800-53 AU-9", "NIST SP 800-53 AU-10", "PCI DSS 4.0.1 10.3", "ISO 27001 A.8.15"]
attack = { version = "19", techniques = ["T1565.002", "T1557"] }

[parameters]
pause_minutes = { default = 60, why = "A sender that comes again within this is the same finding." }
*/
WITH relays AS (
    SELECT first, last FROM ranges WHERE list_contains(use, 'relay')
),
own AS (
    SELECT name, unnest(hosts) AS host FROM devices
),
placed AS (  -- devices whose address is known, where relays are declared
    SELECT name FROM own WHERE address_key(host) IS NOT NULL AND EXISTS (FROM relays)
),
candidates AS (
    SELECT 'witnesses disagree' AS what, record_id, event_at, device, host, peer, transport, regexp_extract(trouble, 'device: ([^;]*)', 1) AS says
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND transport <> 'import' AND contains(trouble, 'device: ')
    UNION ALL
    SELECT 'unknown sender', record_id, event_at, device, host, peer, transport, ''
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND transport <> 'import' AND device = ''
    UNION ALL
    SELECT 'in clear text', record_id, event_at, device, host, peer, transport, ''
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND transport IN ('udp', 'tcp')
      AND device IN (SELECT name FROM devices WHERE len(certificates) > 0)
    UNION ALL
    SELECT 'from an address that is not its own', record_id, event_at, device, events.host, peer, transport, ''
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND transport IN ('udp', 'tcp') AND device IN (FROM placed)
      AND NOT EXISTS (FROM own WHERE own.name = device AND own.host = peer)
),
senders AS (  -- a minute of one sender is one row: a stranger may be loud
    SELECT what, device, host, peer, transport, says, date_trunc('minute', event_at) AS minute, min(event_at) AS first_seen, max(event_at) AS last_seen,
        count(*) AS lines, arg_min(record_id, (event_at, record_id)) AS record_id
    FROM candidates
    WHERE EXISTS (FROM devices)
    GROUP BY ALL
),
told AS (
    SELECT senders.*, if(device = '', if(relayed, concat_ws(' by relay ', nullif(host, ''), peer), peer), device) AS who
    FROM (SELECT *, EXISTS (FROM relays WHERE address_key(peer) BETWEEN first AND last) AS relayed FROM senders) AS senders
    WHERE NOT relayed OR what = 'unknown sender' OR what = 'witnesses disagree' AND NOT contains(says, 'address says')
),
steps AS (
    SELECT *, coalesce(first_seen - max(last_seen) OVER (PARTITION BY who, what ORDER BY minute, first_seen ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > to_minutes($pause_minutes), true) AS begins
    FROM told
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY who, what ORDER BY minute, first_seen ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
    FROM steps
)
SELECT
    concat(what, ': ', who)                                                        AS subject,
    min(first_seen)                                                                AS first_seen,
    max(last_seen)                                                                 AS last_seen,
    if(what = 'unknown sender' AND bool_and(relayed), 'low', 'high')               AS severity,
    any_value(device)                                                              AS device,
    what,
    list_sort(list(DISTINCT says) FILTER (says <> ''))                             AS says,
    list_sort(list(DISTINCT peer))                                                 AS peers,
    list_sort(list(DISTINCT host) FILTER (host <> ''))                             AS hosts,
    list_sort(list(DISTINCT transport))                                            AS transports,
    CAST(sum(lines) AS BIGINT)                                                     AS lines,
    list_sort(list(record_id))                                                     AS evidence
FROM runs
GROUP BY who, what, run
ORDER BY first_seen, subject

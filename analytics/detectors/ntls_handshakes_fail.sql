/*
id         = "NTLS-02"
title      = "Handshakes of clients fail"
kind       = "episodes"
severity   = "medium"
every      = "5m"
looks_back = "25h"
watches    = "family = 'ntls' AND source IS NOT NULL OR operation IN ('certificate_regenerate', 'client_register')"
in_change_window = "lower"
finds = """
A client fails to build its channel to the HSM, five times in ten minutes: its certificate has expired, was made anew on
one side, or belongs to somebody else. When several clients fail at once and none gets in, it is the HSM's own certificate,
and the service is down: high. After a certificate was made anew it is expected until all clients have it: low."""
blind_spots = """
When a certificate will expire no log tells: that is for the inventory. Strangers who fail are NTLS-01's. Why the
handshake failed stands in lines without an address, which cannot be told apart when several clients fail."""
runbook = """
1. `certificate_changed` is true? Register the new server certificate at each of `sources`; nothing else to do.
2. One client: compare its certificate with `client fingerprint`; expired? Make a new one and register it.
3. Several at once, not expected: `sysconf fingerprint ntls` on `device`; who ran `sysconf regencert` (CONF-04)?
4. A certificate that nobody of yours signed: somebody stands in between. Close the way, keep the lines in evidence."""
recommendations = ["5.3", "1.3"]
frameworks = ["SOC 2 CC7.2", "PCI DSS 4.0.1 12.3.3", "CA/B BR 5.4.1(3)"]
attack = { version = "19", techniques = ["T1557"] }

[parameters]
failures    = { default = 5, why = "Failures of one source within ten minutes." }
at_once     = { default = 3, why = "So many sources that fail within ten minutes while none gets in are all." }
after_hours = { default = 24, why = "So long after a certificate was made anew failures are expected." }
*/
WITH lines AS (
    SELECT record_id, event_at, source, operation,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                AS hsm,
        concat_ws(' ', family, pattern)                                                     AS form,
        operation = 'connection_refused' AND outcome = 'failed'                             AS failed,
        operation = 'connection_open' AND outcome = 'ok' AND client IS NOT NULL             AS got_in,
        operation IN ('certificate_regenerate', 'client_register') AND outcome <> 'failed'  AS renewed
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (family = 'ntls' AND source IS NOT NULL OR operation IN ('certificate_regenerate', 'client_register'))
),
places AS (
    SELECT hsm, source,
        EXISTS (FROM ranges WHERE list_has_any(use, ['client', 'nva']) AND address_key(source) BETWEEN first AND last)
            OR EXISTS (FROM clients WHERE (len(devices) = 0 OR list_contains(devices, hsm)) AND list_contains(addresses, source))
            OR NOT EXISTS (FROM ranges WHERE list_has_any(use, ['client', 'nva'])) AND NOT EXISTS (FROM clients) AS expected
    FROM (SELECT DISTINCT hsm, source FROM lines WHERE failed)
),
tries AS (
    SELECT lines.*,
        count(DISTINCT lines.source) OVER (PARTITION BY lines.hsm ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) AS failing,
        count(*) OVER (PARTITION BY lines.hsm, lines.source, form ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) >= $failures AS hot
    FROM lines
    JOIN places ON places.hsm = lines.hsm AND places.source = lines.source
    WHERE failed AND expected
),
served AS (  -- somebody got in meanwhile
    SELECT tries.record_id
    FROM tries
    JOIN lines ON lines.hsm = tries.hsm AND lines.got_in AND lines.event_at BETWEEN tries.event_at - INTERVAL 10 MINUTE AND tries.event_at
    WHERE failing >= $at_once
    GROUP BY ALL
),
members AS (
    SELECT record_id, event_at, hsm, source, form, source AS who
    FROM tries
    QUALIFY bool_or(hot) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING)
    UNION ALL
    SELECT record_id, event_at, hsm, source, form, 'all clients'
    FROM (SELECT tries.*, failing >= $at_once AND served.record_id IS NULL AS all_fail FROM tries LEFT JOIN served ON served.record_id = tries.record_id)
    QUALIFY bool_or(all_fail) OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, who ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, who ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, who, run, form, count(*) AS failures, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT source) AS sources, list(record_id) AS records
    FROM runs
    GROUP BY ALL
),
told AS (
    SELECT hsm, who, run, min(first_seen) AS first_seen, max(last_seen) AS last_seen, max(failures) AS failures,
        list_sort(list_distinct(flatten(list(sources)))) AS sources, list_sort(flatten(list(records))) AS evidence
    FROM witnesses
    GROUP BY ALL
),
judged AS (
    SELECT told.*, EXISTS (FROM lines WHERE renewed AND lines.hsm = told.hsm
        AND lines.event_at BETWEEN told.first_seen - to_hours($after_hours) AND told.last_seen) AS certificate_changed
    FROM told
)
SELECT
    concat(who, ' fail', if(who = 'all clients', '', 's'), ' on ', hsm)                                      AS subject,
    first_seen,
    last_seen,
    CASE WHEN certificate_changed THEN 'low' WHEN who = 'all clients' THEN 'high' ELSE 'medium' END  AS severity,
    hsm                                                                                              AS device,
    failures,
    certificate_changed,
    sources,
    evidence
FROM judged
ORDER BY first_seen, subject

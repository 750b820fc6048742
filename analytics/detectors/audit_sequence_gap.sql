/*
id         = "LOGS-02"
title      = "Audit records are missing or contradict each other"
kind       = "episodes"
severity   = "high"
every      = "5m"
looks_back = "2h"
in_change_window = "lower"
finds = """
The HSM numbers its audit records without a gap. A number that never arrived is a record that was lost, held back or
removed; a number that arrived twice with different content is critical, since one of the two was made up. A gap is
judged when the device has gone on for five minutes; a back-fill of the missing records voids the finding."""
blind_spots = """
What is missing at the end of a log is not known to be missing. A quiet HSM is followed back 35 days. When the numbers
begin anew near the bottom (a new audit log), the records before them are not asked for."""
runbook = """
1. `missing` numbers from `first_missing` to `last_missing`: fetch the HSM's own files (`audit log tarlogs`), import them.
2. All there again? The finding goes by itself. UDP on the way? Move the device to TCP or TLS, and look at the custody sums.
3. Not there either? Verify the HSM's log with the audit secret on another HSM of the domain: this is an incident.
4. `contradicting` numbers: compare both records in evidence with the HSM's own file; the HMAC says which one is real."""
recommendations = ["4.2"]
frameworks = ["NIST SP 800-53 AU-9", "NIST SP 800-53 AU-10", "CA/B BR 5.4", "RFC 3647 5.4.2", "PCI DSS 4.0.1 10.3.4"]
attack = { version = "19", techniques = ["T1685", "T1565.001"] }

[parameters]
settle_minutes = { default = 5, why = "Records overtake each other on the way: so long the device must have gone on." }
restart_below  = { default = 100, why = "A number that falls back below this one begins a new log." }
quiet_days     = { default = 35, why = "So far back and ahead the neighbours of a record are looked for." }
*/
WITH numbered AS (
    SELECT record_id, event_at, audit_sequence AS number, coalesce(hsm_serial, '') AS serial,
        coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm,
        concat_ws('/', CAST(event_at AS VARCHAR), vendor_event, return_code, session, partition, object_handle, mac, raw_block, message)  AS content
    FROM audit_records
    WHERE event_at BETWEEN $window_start - to_days($quiet_days) AND $window_end + to_days($quiet_days)
),
inside AS (
    SELECT * FROM numbered WHERE event_at BETWEEN $window_start AND $window_end
),
logs AS (
    SELECT hsm, serial, min(event_at) AS first, max(event_at) AS last FROM inside GROUP BY ALL
),
neighbours AS (  -- the last record before and the first after: a gap at the edge has its other side there
    SELECT unnest([arg_max(numbered, (numbered.event_at, numbered.number)) FILTER (numbered.event_at < $window_start),
                   arg_min(numbered, (numbered.event_at, numbered.number)) FILTER (numbered.event_at > $window_end)]) AS one
    FROM numbered
    JOIN logs USING (hsm, serial)
    WHERE numbered.event_at NOT BETWEEN $window_start AND $window_end
    GROUP BY hsm, serial
),
all_of_them AS (
    SELECT record_id, event_at, number, serial, hsm, content FROM inside
    UNION ALL
    SELECT one.record_id, one.event_at, one.number, one.serial, one.hsm, one.content FROM neighbours WHERE one IS NOT NULL
),
stepped AS (
    SELECT *, coalesce(number < $restart_below AND number < lag(number) OVER (PARTITION BY hsm, serial ORDER BY event_at, number), false) AS restarts
    FROM all_of_them
),
in_logs AS (
    SELECT *, count_if(restarts) OVER (PARTITION BY hsm, serial ORDER BY event_at, number, record_id) AS log
    FROM stepped
),
single AS (
    SELECT hsm, serial, log, number, min(event_at) AS event_at, max(event_at) AS last_at,
        min(record_id) AS record_id, list(record_id ORDER BY record_id) AS records, count(DISTINCT content) AS contents
    FROM in_logs
    GROUP BY ALL
),
told AS (  -- the device's clock, by whatever it said last
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, max(event_at) AS at
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
    GROUP BY ALL
),
edges AS (
    SELECT hsm, serial, log, number, event_at, record_id,
        lag(number) OVER before AS number_before, lag(event_at) OVER before AS at_before, lag(record_id) OVER before AS record_before
    FROM single
    WINDOW before AS (PARTITION BY hsm, serial, log ORDER BY number)
),
gaps AS (
    SELECT hsm, serial, log, least(at_before, event_at) AS first_seen, greatest(at_before, event_at) AS last_seen,
        number_before + 1 AS first_missing, number - 1 AS last_missing, [record_before, edges.record_id] AS records
    FROM edges
    JOIN told USING (hsm)
    WHERE number > number_before + 1 AND told.at >= greatest(at_before, event_at) + to_minutes($settle_minutes)
),
steps AS (
    SELECT *, coalesce(first_seen - max(last_seen) OVER (PARTITION BY hsm, serial ORDER BY first_seen, first_missing ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > INTERVAL 10 MINUTE, true) AS begins
    FROM gaps
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, serial ORDER BY first_seen, first_missing) AS run
    FROM steps
)
SELECT
    concat('audit log of ', if(serial = '', '', 'HSM ' || serial || ' on '), hsm)      AS subject,
    min(first_seen)                                                                    AS first_seen,
    max(last_seen)                                                                     AS last_seen,
    'high'                                                                             AS severity,
    hsm                                                                                AS device,
    CAST(sum(last_missing - first_missing + 1) AS BIGINT)                              AS missing,
    min(first_missing)                                                                 AS first_missing,
    max(last_missing)                                                                  AS last_missing,
    list(if(first_missing = last_missing, CAST(first_missing AS VARCHAR), concat(first_missing, '-', last_missing)) ORDER BY first_missing)[1:100]  AS ranges,
    CAST([] AS UBIGINT[])                                                              AS contradicting,
    list_sort(list_distinct(flatten(list(records))))                                   AS evidence
FROM runs
GROUP BY hsm, serial, run
UNION ALL
SELECT
    concat('number ', number, if(serial = '', '', ' of HSM ' || serial), ' on ', hsm),
    event_at,
    last_at,
    'critical',
    hsm,
    0,
    NULL,
    NULL,
    [],
    [number],
    records
FROM single
WHERE contents > 1
ORDER BY first_seen, subject

/*
id         = "LOGS-02"
title      = "Audit records are missing or contradict each other"
kind       = "episodes"
severity   = "high"
every      = "5m"
looks_back = "25h"
in_change_window = "lower"
finds = """
The HSM numbers its audit records without a gap. A number that never arrived is a record that was lost, held back or
removed; a number that arrived twice with different content is critical, since one of the two was made up. A gap is
judged when the device has gone on for five minutes; a back-fill of the missing records voids the finding."""
blind_spots = """
What is missing at the end of a log is not known to be missing, and a hole after which the device said nothing for a day
is not judged. A quiet HSM is followed back 35 days. When the numbers begin anew near the bottom (a new audit log), what
may be missing before them is not asked for. Numbers that contradict each other do so within an hour. Where numbers are
there twice, at most 100,000 places of 64 numbers are looked into."""
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
WITH numbered AS NOT MATERIALIZED (  -- seventy days and more: each reading has its own span
    SELECT record_id, event_at, audit_sequence AS number, coalesce(hsm_serial, '') AS serial,
        coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm
    FROM audit_records
    WHERE event_at BETWEEN $window_start - to_days($quiet_days) AND $window_end + to_days($quiet_days)
),
inside AS NOT MATERIALIZED (  -- with an hour around: nearly every record at the edge has its neighbour there
    SELECT *, number >> 6 AS part
    FROM numbered
    WHERE event_at BETWEEN $window_start - INTERVAL 1 HOUR AND $window_end + INTERVAL 1 HOUR
),
parts AS (  -- a busy HSM writes millions in an hour: of each moment, which of 64 numbers are there, a bit for each
    SELECT hsm, serial, event_at, part, min(number) AS number, max(number) AS last, count(*) AS records,
        bit_or(1::UBIGINT << (number % 64))  AS numbers
    FROM inside
    GROUP BY hsm, serial, event_at, part
),
sources AS (
    SELECT hsm, serial, min(event_at) AS first, max(event_at) AS last FROM parts GROUP BY ALL
),
far AS (  -- of a quiet HSM, the last record before and the first after; nothing is read unless there is such a one
    SELECT arg_max(numbered, (event_at, number)) AS one
    FROM numbered
    SEMI JOIN (FROM sources WHERE first >= $window_start) AS quiet USING (hsm, serial)
    WHERE event_at < $window_start - INTERVAL 1 HOUR
    GROUP BY hsm, serial
    UNION ALL
    SELECT arg_min(numbered, (event_at, number))
    FROM numbered
    SEMI JOIN (FROM sources WHERE last <= $window_end) AS quiet USING (hsm, serial)
    WHERE event_at > $window_end + INTERVAL 1 HOUR
    GROUP BY hsm, serial
),
known AS NOT MATERIALIZED (
    FROM inside
    UNION ALL
    SELECT one.record_id, one.event_at, one.number, one.serial, one.hsm, one.number >> 6 FROM far
),
known_parts AS (
    FROM parts
    UNION ALL
    SELECT hsm, serial, event_at, part, number, number, 1, 1::UBIGINT << (number % 64)
    FROM (SELECT one.*, one.number >> 6 AS part FROM far)
),
sound AS (  -- no number between its first and its last is missing, none is there twice
    FROM known_parts WHERE records = bit_count(numbers) AND last - number = records - 1
),
stretches AS (  -- the records of other parts are read one by one; DuckDB hashes the few, as long as it is an ANTI JOIN that finds them
    SELECT hsm, serial, event_at, number, last FROM sound
    UNION ALL
    SELECT hsm, serial, event_at, number, number
    FROM inside
    SEMI JOIN (FROM parts ANTI JOIN sound USING (hsm, serial, event_at, part)) AS torn USING (hsm, serial, event_at, part)
),
stepped AS (
    SELECT *,
        lag(last) OVER in_order      AS previous,
        lag(event_at) OVER in_order  AS at_before
    FROM stretches
    WINDOW in_order AS (PARTITION BY hsm, serial ORDER BY event_at, number)
),
odd AS (  -- nearly every record has the number after that of the one before: all that follows hangs on the few others
    SELECT *,
        coalesce(number < $restart_below AND number < previous, false)  AS restarts,
        epoch_us(event_at) * 1000 + least(row_number() OVER (PARTITION BY hsm, serial, event_at ORDER BY number), 999)  AS place
    FROM stepped
    WHERE coalesce(if(number > previous, number - previous > 1, true), true)
),
in_logs AS (
    SELECT *,
        count_if(restarts) OVER (PARTITION BY hsm, serial ORDER BY event_at, number) AS log,
        min(if(restarts, event_at, NULL)) OVER (PARTITION BY hsm, serial ORDER BY event_at, number ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS log_ends
    FROM odd
),
reached AS (  -- how far the log had come when a record was written: a clock that was set back mixes up an hour at most
    SELECT *,
        max(if(restarts, NULL, previous)) OVER (PARTITION BY hsm, serial, log ORDER BY place RANGE BETWEEN 3600000000000 PRECEDING AND CURRENT ROW) AS before
    FROM in_logs
),
holes AS (
    SELECT * FROM reached WHERE if(number > before, number - before > 1, false)
),
late AS (  -- what was written later, out of order, fills parts of a hole
    SELECT holes.*, part * 64 + unnest(list_filter(range(64), lambda bit: numbers >> bit & 1 = 1))::UBIGINT AS filled
    FROM (SELECT *, unnest([date_trunc('hour', event_at), date_trunc('hour', event_at) + INTERVAL 1 HOUR]) AS hour FROM holes) AS holes
    JOIN parts ON parts.hsm = holes.hsm AND parts.serial = holes.serial AND date_trunc('hour', parts.event_at) = hour
        AND parts.event_at BETWEEN holes.event_at AND holes.event_at + INTERVAL 1 HOUR AND coalesce(parts.event_at < log_ends, true)
        AND parts.last > before AND parts.number < holes.number
),
points AS (
    SELECT hsm, serial, log, event_at, at_before, previous, number AS hole, unnest([before, number]) AS number
    FROM holes
    UNION
    SELECT hsm, serial, log, event_at, at_before, previous, number, filled FROM late WHERE filled > before AND filled < number
),
ranges AS (
    SELECT *, first + 1 AS first_missing, number - 1 AS last_missing
    FROM (SELECT *, lag(number) OVER (PARTITION BY hsm, serial, log, event_at, hole ORDER BY number) AS first FROM points)
    WHERE first IS NOT NULL
),
heard AS (  -- minutes in which a device with a hole said something, whatever it was
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, max(event_at) AS at
    FROM events
    WHERE event_at BETWEEN $window_start - INTERVAL 1 HOUR AND $window_end + to_days($quiet_days + 1)
        AND coalesce(nullif(device, ''), nullif(host, ''), peer) IN (SELECT hsm FROM holes)
    GROUP BY hsm, date_trunc('minute', event_at)
),
settled AS (  -- the device has gone on
    SELECT ranges.hsm, serial, at_before AS first_seen, event_at AS last_seen, previous, hole, first_missing, last_missing
    FROM ranges
    ASOF JOIN heard ON heard.hsm = ranges.hsm AND heard.at >= ranges.event_at + to_minutes($settle_minutes)
    WHERE first_missing <= last_missing AND heard.at <= ranges.event_at + INTERVAL 1 DAY
),
edges AS (  -- the records before and behind a hole
    SELECT hsm, serial, event_at, number, min(record_id) AS first, max(record_id) AS last
    FROM known
    SEMI JOIN (
        SELECT hsm, serial, unnest([first_seen, last_seen]) AS event_at, unnest([previous, hole]) AS number FROM settled
    ) AS wanted USING (hsm, serial, event_at, number)
    GROUP BY ALL
),
steps AS (
    SELECT settled.*, [before_it.last, behind_it.first] AS records,
        coalesce(first_seen - max(last_seen) OVER (PARTITION BY settled.hsm, settled.serial ORDER BY first_seen, first_missing ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > INTERVAL 10 MINUTE, true) AS begins
    FROM settled
    JOIN edges AS before_it ON before_it.hsm = settled.hsm AND before_it.serial = settled.serial AND before_it.event_at = first_seen AND before_it.number = previous
    JOIN edges AS behind_it ON behind_it.hsm = settled.hsm AND behind_it.serial = settled.serial AND behind_it.event_at = last_seen AND behind_it.number = hole
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, serial ORDER BY first_seen, first_missing ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
    FROM steps
),
turned AS (  -- where numbers went back: what is there twice lies between the lowest and the highest of these steps
    SELECT hsm, serial, min(number) AS lowest, max(previous) AS highest
    FROM in_logs
    WHERE number <= previous AND NOT restarts
    GROUP BY ALL
),
doubtful AS (
    SELECT known_parts.*, lowest, highest, coalesce(restarted.log, 0) AS log
    FROM known_parts
    JOIN turned ON turned.hsm = known_parts.hsm AND turned.serial = known_parts.serial AND last >= lowest AND number <= highest
    ASOF LEFT JOIN (FROM in_logs WHERE restarts) AS restarted
        ON restarted.hsm = known_parts.hsm AND restarted.serial = known_parts.serial AND restarted.event_at <= known_parts.event_at
),
crowded AS (
    SELECT hsm, serial, log, part FROM doubtful GROUP BY ALL HAVING sum(records) > bit_count(bit_or(numbers))
),
filled_twice AS (  -- few; the bound says so to DuckDB, which hashes the millions otherwise
    FROM doubtful SEMI JOIN crowded USING (hsm, serial, log, part) LIMIT 100000
),
in_doubt AS (
    SELECT one.*, log
    FROM (FROM known SEMI JOIN filled_twice USING (hsm, serial, event_at, part)) AS one
    JOIN filled_twice USING (hsm, serial, event_at, part)
    WHERE one.number BETWEEN lowest AND highest
),
twice AS (
    SELECT hsm, serial, log, number FROM in_doubt GROUP BY ALL HAVING count(*) > 1
),
repeated AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, serial, log, number ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM in_doubt
    SEMI JOIN twice USING (hsm, serial, log, number)
),
repetitions AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, serial, log, number ORDER BY event_at) AS run
    FROM repeated
),
said AS (  -- what they say is read of those alone
    SELECT record_id, mac, raw_block,
        if(vendor_event IS NULL, message, concat_ws('/', vendor_event, return_code, session, access_major, access_minor, partition, object_handle, role)) AS content
    FROM audit_records
    WHERE record_id IN (SELECT record_id FROM repeated)
        AND event_at BETWEEN $window_start - to_days($quiet_days) AND $window_end + to_days($quiet_days)
)
SELECT
    concat('audit log of ', if(serial = '', '', 'HSM ' || serial || ' on '), hsm)      AS subject,
    min(first_seen)                                                                    AS first_seen,
    max(last_seen)                                                                     AS last_seen,
    'high'                                                                             AS severity,
    hsm                                                                                AS device,
    CAST(least(sum(CAST(last_missing AS HUGEINT) - first_missing + 1), 9223372036854775807) AS BIGINT)  AS missing,
    min(first_missing)                                                                 AS first_missing,
    max(last_missing)                                                                  AS last_missing,
    list(if(first_missing = last_missing, CAST(first_missing AS VARCHAR), concat(first_missing, '-', last_missing)) ORDER BY first_seen, first_missing)[1:100]  AS ranges,
    CAST([] AS UBIGINT[])                                                              AS contradicting,
    list_sort(list_distinct(flatten(list(records))))                                   AS evidence
FROM runs
GROUP BY hsm, serial, run
UNION ALL
SELECT
    concat('number ', number, if(serial = '', '', ' of HSM ' || serial), ' on ', hsm),
    min(event_at),
    max(event_at),
    'critical',
    hsm,
    0,
    NULL,
    NULL,
    [],
    [number],
    list_sort(list(record_id))
FROM repetitions
JOIN said USING (record_id)
GROUP BY hsm, serial, log, number, run
HAVING count(DISTINCT content) > 1 OR count(DISTINCT mac) > 1 OR count(DISTINCT raw_block) > 1
ORDER BY first_seen, subject

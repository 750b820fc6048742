/*
id         = "COMP-03"
title      = "Decommission: complete, or a step is missing"
kind       = "state"
severity   = "high"
every      = "1h"
looks_back = "60d"
in_change_window = "never"
finds = """
A device goes out of use in steps: a change of kind decommission, a last backup, zeroized (three wrong Security Officer passwords,
or a command), and silence for ever. Each approved decommission of the last weeks is one row once its window has ended: info with
all steps, the certificate for the file; high when one is missing. A device that is silent without having been zeroized still has
its keys, wherever it stands."""
blind_spots = """
That the cloud's resource was deleted afterwards is not logged on the HSM: ATT-13 asks for it. A backup that a client made to its
own HSM is not seen. A decommission without a change is PRIV-01's, at full severity."""
runbook = """
1. `missing` has 'zeroize'? Do it before anybody hands the device back: power it up, three wrong passwords or `hsm zeroize`.
2. `missing` has 'backup'? If the device still lives, stop and back it up; if it does not, find the newest copy of each key.
3. `missing` has 'silence': the device sent lines after its end (`heard_after`): is it another one under this name?
4. Nothing `missing`: print it, answer ATT-13 with the resource's id, take the device out of the configuration, close this."""
recommendations = ["5.4", "5.1"]
frameworks = ["CA/B BR 5.4.1(1)", "CA/B BR 5.4.1(4)", "PCI DSS 4.0.1 3.7.5", "ISO 27001 A.8.10"]
attack = { version = "19", techniques = [] }

[parameters]
shown_days  = { default = 35, why = "So long after its window a decommission is shown, complete or not." }
backup_days = { default = 7, why = "The last backup is at most so much older than the window." }
quiet_hours = { default = 1, why = "What a device says for so long after its window still belongs to it." }
*/
WITH planned AS (
    SELECT id, device, starts_at, ends_at, ticket FROM change_windows
    WHERE kind = 'decommission' AND ends_at BETWEEN $window_end - to_days($shown_days) AND $window_end AND ends_at > $window_start
),
done AS (
    SELECT planned.id, operation IN ('zeroize', 'factory_reset', 'decommission') AS zeroizes, event_at, record_id
    FROM planned
    JOIN events ON events.device = planned.device AND event_at BETWEEN starts_at - to_days($backup_days) AND ends_at + to_hours($quiet_hours)
    WHERE EXISTS (FROM planned) AND outcome <> 'failed' AND NOT contains(pattern, 'token_') AND operation IN ('zeroize', 'factory_reset', 'decommission', 'backup')
      AND (operation IN ('zeroize', 'factory_reset', 'decommission') AND event_at >= starts_at
           OR operation = 'backup' AND regexp_matches(command, '\bbackup$'))
),
steps AS (
    SELECT planned.id,
        min(done.event_at) FILTER (zeroizes)                                                 AS zeroized,
        list(done.record_id) FILTER (zeroizes)                                               AS zeroize_records,
        list({'at': done.event_at, 'record': done.record_id}) FILTER (NOT zeroizes)          AS backups
    FROM planned LEFT JOIN done ON done.id = planned.id
    GROUP BY planned.id
),
after_all AS (
    SELECT planned.id, min(event_at) AS heard_after, arg_min(record_id, event_at) AS record_id, count(*) AS lines
    FROM planned
    JOIN events ON events.device = planned.device AND event_at > ends_at + to_hours($quiet_hours) AND event_at <= $window_end
    WHERE EXISTS (FROM planned) AND transport <> 'import'
    GROUP BY planned.id
),
judged AS (
    SELECT planned.*, zeroized, heard_after, lines,
        list_filter(coalesce(backups, []), lambda one: zeroized IS NULL OR one.at <= zeroized)  AS last_backups,
        coalesce(zeroize_records, [])                                                           AS zeroize_records,
        after_all.record_id
    FROM planned
    JOIN steps USING (id)
    LEFT JOIN after_all USING (id)
),
told AS (
    SELECT *, list_filter([if(len(last_backups) = 0, 'backup', NULL), if(zeroized IS NULL, 'zeroize', NULL), if(heard_after IS NOT NULL, 'silence', NULL)],
        lambda one: one IS NOT NULL) AS missing
    FROM judged
)
SELECT
    concat('decommission of ', device, ' (', ticket, ')')                               AS subject,
    starts_at                                                                           AS first_seen,
    ends_at                                                                             AS last_seen,
    if(len(missing) = 0, 'info', 'high')                                                AS severity,
    device,
    ticket,
    missing,
    list_max(list_transform(last_backups, lambda one: one.at))                          AS backed_up,
    zeroized,
    heard_after,
    coalesce(lines, 0)                                                                  AS lines_after,
    list_sort(list_filter(list_distinct(list_transform(last_backups, lambda one: one.record) || zeroize_records || [record_id]), lambda one: one IS NOT NULL))  AS evidence
FROM told
ORDER BY subject

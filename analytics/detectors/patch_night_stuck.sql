/*
id         = "COMP-04"
title      = "Patch night: done, or stuck at a step"
kind       = "state"
severity   = "high"
every      = "5m"
looks_back = "40d"
in_change_window = "never"
finds = """
A change of kind patch runs through its steps: software or firmware updated, restarted, booted, NTLS started, the clients back, the
version looked at. Half an hour after its window each is one row: info when all was done, high when the device did not come back
from a restart, NTLS did not start or clients that had been there before are not; low when nothing was updated, or nobody looked at
the version."""
blind_spots = """
An update without a restart is not asked for boot and clients. Clients that use the HSM seldom may come later than half an hour
(NTLS-04 waits longer). That `hsm show` was typed is seen, not what it answered."""
runbook = """
1. `stuck_at` boot? No line since `last_heard`: a restart may hang for good. Call the service provider for a hard reboot, and
   name patch KB0019789; count up to 48 hours.
2. ntls? `service status ntls`, `service restart ntls`: was the certificate replaced by the update (CONF-04)?
3. clients? `clients_before` were there in the day before the window: restart one, then look at NTLS-02.
4. version or update? Look at it now (`hsm show`, `package list`) and write it into the ticket."""
recommendations = ["7.1", "7.2", "6.1", "6.4"]
frameworks = ["SOC 2 CC8.1", "SOC 2 A1.2", "PCI DSS 4.0.1 6.3.3", "CA/B NSR 4f"]
attack = { version = "19", techniques = [] }

[parameters]
back_minutes = { default = 30, why = "Clients try about every minute to come back." }
shown_days   = { default = 7, why = "So long after its window a patch night is shown." }
down_minutes = { default = 3, why = "What is heard so soon after the restart may be the going down, unless it is the start of something." }
*/
WITH planned AS (
    SELECT id, device, starts_at, ends_at, ticket FROM change_windows
    WHERE kind = 'patch' AND ends_at BETWEEN $window_end - to_days($shown_days) AND $window_end - to_minutes($back_minutes) AND ends_at > $window_start
),
seen AS (
    SELECT planned.id, event_at, record_id, family, operation, command, client, source, event_at < starts_at AS before,
        operation IN ('firmware_update', 'firmware_rollback', 'package_update') AND outcome <> 'failed'        AS updates,
        operation = 'reboot' AND outcome <> 'failed'                                                           AS restarts,
        family = 'ntls' AND operation = 'service_start'                                                        AS starts_ntls,
        operation = 'boot' OR operation = 'service_start' AND command IS NULL
            OR family = 'sysstat' AND coalesce((details->>'state') = 'Started', false)                         AS starts,
        family IN ('ntls', 'htl') AND operation = 'connection_open' AND outcome <> 'failed'                    AS connects,
        outcome <> 'failed' AND command IN ('hsm show', 'hsm firmware show', 'package list')                   AS looks
    FROM planned
    JOIN events ON events.device = planned.device AND event_at BETWEEN starts_at - INTERVAL 1 DAY AND ends_at + to_minutes($back_minutes)
    WHERE EXISTS (FROM planned)
),
acts AS (
    SELECT id,
        max(event_at) FILTER (updates AND NOT before)                                          AS updated,
        max(event_at) FILTER (restarts AND NOT before)                                         AS restarted,
        list(record_id) FILTER ((updates OR restarts) AND NOT before)                          AS records,
        list(DISTINCT coalesce(client, source)) FILTER (before AND connects)                   AS clients_before,
        max(event_at)                                                                          AS last_heard
    FROM seen
    GROUP BY id
),
returned AS (  -- a client that is served while the device goes down is not back
    SELECT seen.id, min(event_at) AS booted
    FROM seen JOIN acts USING (id)
    WHERE event_at > restarted + to_minutes($down_minutes) OR starts AND event_at > restarted
    GROUP BY seen.id
),
back AS (  -- what came after the restart, or after the update where there was none
    SELECT seen.id, any_value(booted)                                                          AS booted,
        min(event_at) FILTER (starts_ntls AND event_at > restarted)                            AS ntls,
        min(event_at) FILTER (connects AND event_at >= booted)                                 AS client,
        min(event_at) FILTER (looks AND event_at > coalesce(greatest(restarted, updated), restarted, updated))  AS looked
    FROM seen JOIN acts USING (id) LEFT JOIN returned USING (id)
    GROUP BY seen.id
),
judged AS (
    SELECT planned.*, updated, restarted, booted, ntls, client, looked, last_heard, coalesce(records, []) AS records, coalesce(clients_before, []) AS clients_before,
        list_filter([
            if(updated IS NULL, 'update', NULL),
            if(restarted IS NOT NULL AND booted IS NULL, 'boot', NULL),
            if(restarted IS NOT NULL AND booted IS NOT NULL AND ntls IS NULL AND client IS NULL, 'ntls', NULL),
            if(restarted IS NOT NULL AND booted IS NOT NULL AND client IS NULL AND len(coalesce(clients_before, [])) > 0, 'clients', NULL),
            if(updated IS NOT NULL AND looked IS NULL, 'version', NULL)
        ], lambda one: one IS NOT NULL) AS stuck_at
    FROM planned
    LEFT JOIN acts USING (id)
    LEFT JOIN back USING (id)
)
SELECT
    concat('patch of ', device, ' (', ticket, ')')                                                          AS subject,
    starts_at                                                                                               AS first_seen,
    ends_at                                                                                                 AS last_seen,
    CASE WHEN len(stuck_at) = 0 THEN 'info' WHEN list_has_any(stuck_at, ['boot', 'ntls', 'clients']) THEN 'high' ELSE 'low' END  AS severity,
    device,
    ticket,
    stuck_at,
    updated,
    restarted,
    booted,
    ntls                                                                                                    AS ntls_started,
    client                                                                                                  AS first_client,
    looked                                                                                                  AS version_looked_at,
    list_sort(clients_before)[1:20]                                                                         AS clients_before,
    last_heard,
    list_sort(records)                                                                                      AS evidence
FROM judged
ORDER BY subject

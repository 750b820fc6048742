-- One row per act that changes what an HSM is or does. One act has several witnesses: the Luna shell's line and the audit
-- record of the same act within five seconds are one row, counted per message form, the larger number wins.
WITH lines AS (
    SELECT *,
        coalesce(event_at - lag(event_at) OVER act > INTERVAL 5 SECOND, true) AS opens
    FROM events
    WHERE event_at >= $begin - INTERVAL 1 MINUTE AND event_at < $end + INTERVAL 1 MINUTE
      AND command_class IN ('privileged', 'destructive', 'config', 'logging', 'log_tampering', 'availability')
    WINDOW act AS (PARTITION BY device, operation, outcome ORDER BY event_at, record_id)
),
bursts AS (
    SELECT *, count(*) FILTER (opens)
        OVER (PARTITION BY device, operation, outcome ORDER BY event_at, record_id ROWS UNBOUNDED PRECEDING) AS burst
    FROM lines
),
placed AS (
    SELECT *, row_number()
        OVER (PARTITION BY device, operation, outcome, burst, pattern ORDER BY event_at, record_id) AS place
    FROM bursts
),
single AS (
    SELECT
        device, operation, outcome,
        min(event_at)                                 AS event_at,
        max(command_class)                            AS kind,
        coalesce(max(account), '')                    AS account,
        coalesce(max(nullif(role, '')), '')           AS role,
        coalesce(max(source), '')                     AS source,
        coalesce(max(command), max(vendor_event), '') AS command,
        coalesce(max(setting), '')                    AS setting,
        coalesce(max(value), '')                      AS value,
        coalesce(max(partition), '')                  AS partition,
        coalesce(max(client), '')                     AS client,
        list(DISTINCT family ORDER BY family)         AS families,
        list(record_id ORDER BY record_id)            AS records
    FROM placed
    GROUP BY device, operation, outcome, burst, place
)
SELECT
    single.*,
    coalesce((
        SELECT string_agg(DISTINCT ticket, ', ' ORDER BY ticket)
        FROM change_windows AS approved
        WHERE approved.device = single.device
          AND single.event_at BETWEEN approved.starts_at - to_minutes($grace_minutes)
                                  AND approved.ends_at + to_minutes($grace_minutes)
    ), '') AS ticket
FROM single
WHERE event_at >= $begin AND event_at < $end

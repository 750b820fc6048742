-- One row per act that changes what an HSM is or does. One act has several witnesses: the Luna shell's line and the audit
-- record of the same act within a minute are one row, counted per form of line, the form that tells most often wins.
WITH lines AS (
    SELECT *,
        concat_ws(' ', family, pattern)                                AS form,
        coalesce(event_at - lag(event_at) OVER act > INTERVAL 1 MINUTE, true)  AS opens
    FROM events
    WHERE event_at >= $begin - INTERVAL 1 HOUR AND event_at < $end + INTERVAL 1 HOUR
      AND command_class IN ('privileged', 'destructive', 'config', 'logging', 'log_tampering', 'availability')
      AND (   family IN ('lunash', 'hsm_audit') AND (command IS NOT NULL OR vendor_event LIKE 'LUNA%')
           OR command_class = 'destructive')
      AND operation <> 'log_external'  -- of class logging, yet written by an application
    WINDOW act AS (PARTITION BY device, operation, outcome ORDER BY event_at, record_id)
),
bursts AS (
    SELECT *, count_if(opens)
        OVER (PARTITION BY device, operation, outcome ORDER BY event_at, record_id ROWS UNBOUNDED PRECEDING) AS burst
    FROM lines
),
placed AS (
    SELECT *, row_number()
        OVER (PARTITION BY device, operation, outcome, burst, form ORDER BY event_at, record_id) AS place
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
        list(DISTINCT family ORDER BY family)         AS families,
        list(record_id ORDER BY record_id)            AS records
    FROM placed
    GROUP BY device, operation, outcome, burst, place
),
off_loads AS (  -- logs are packed, then cleared or their service restarted, by one account: an upkeep, no cover-up
    SELECT device, coalesce(account, '') AS account, event_at
    FROM events
    WHERE operation = 'log_off_load' AND outcome <> 'failed'
      AND event_at >= $begin - INTERVAL 1 HOUR AND event_at < $end + INTERVAL 1 HOUR
)
SELECT
    single.*,
    coalesce((
        SELECT string_agg(DISTINCT ticket, ', ' ORDER BY ticket)
        FROM change_windows AS approved
        WHERE approved.device = single.device
          AND single.event_at BETWEEN approved.starts_at - to_minutes($grace_minutes)
                                  AND approved.ends_at + to_minutes($grace_minutes)
    ), '') AS ticket,
    operation IN ('log_clear', 'service_restart') AND EXISTS (
        SELECT 1 FROM off_loads
        WHERE off_loads.device = single.device AND off_loads.account = single.account
          AND single.event_at BETWEEN off_loads.event_at AND off_loads.event_at + INTERVAL 1 HOUR
    ) AS routine
FROM single
WHERE event_at >= $begin AND event_at < $end

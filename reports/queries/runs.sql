-- How each detector ran over the period.
SELECT
    detector,
    coalesce(sum(times) FILTER (state IN ('ran', 'filled')), 0)    AS ran,
    coalesce(sum(times) FILTER (state = 'failed'), 0)              AS failed,
    coalesce(sum(times) FILTER (state = 'skipped'), 0)             AS skipped,
    coalesce(max(suppressed), 0)                                   AS suppressed,
    list(DISTINCT version ORDER BY version)                        AS versions,
    coalesce(arg_max(error, finished_at) FILTER (state = 'failed'), '') AS error,
    coalesce(arg_max(not_measured, finished_at), '')               AS not_measured
FROM runs
WHERE coalesce(window_end, finished_at) > $begin AND coalesce(window_start, started_at) < $end
GROUP BY detector
ORDER BY detector

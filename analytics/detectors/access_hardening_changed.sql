/*
id         = "CONF-04"
title      = "Remote access or crypto hardening changed"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('ssh_set', 'tls_set', 'stc_set', 'webserver_set', 'radius_set', 'certificate_regenerate', 'ntls_set') OR operation = 'policy_set' AND setting = 'force so login' OR operation = 'user_password_set' AND starts_with(setting, 'public key ')"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
How the appliance is reached, or what protects that, was changed: SSH passwords, keys, ports and bindings, ciphers of SSH,
TLS, NTLS and STC, certificates made anew, the REST service, RADIUS, public keys of accounts, or that the Security
Officer must log in for changes."""
blind_spots = """
What is set over the REST interface leaves no command line. The new value of a cipher list is not judged, only that there
is one. What clients do to their own side is not seen here."""
runbook = """
1. `settings` is what is now in force, `accounts` and `sources` who did it. Is there a ticket?
2. `weaker` is not empty? Put that back first: it opens a door.
3. Certificates made anew (`operations` has certificate_regenerate)? Every client fails until it is registered again: expect
   NTLS-02 after it.
4. A public key that was added is a way in that outlives a password: find its owner."""
recommendations = ["2.2", "2.3", "5.3"]
frameworks = ["PCI DSS 4.0.1 12.3.3", "PCI DSS 4.0.1 10.2.1.5", "SOC 2 CC7.1", "NIST SP 800-53 AU-2"]
attack = { version = "19", techniques = ["T1556", "T1098.004"] }

[parameters]
ntls   = { default = ["ntls ciphers", "ntls bind", "ntls certificate", "ntls ssl operations", "ntls keys"], why = "Beginnings of those NTLS settings that protect: threads, timers and keep-alive do not." }
weaker = { default = ["force so login = off", "ssh password = on", "stc = off", "stc admin = off", "webserver = on", "ntls certificate monitor = off"], why = "Settings that open a door, shown first." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command, account, source, setting, value,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form,
        concat_ws(' = ', setting, value)                      AS set_to
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND operation IN ('ssh_set', 'tls_set', 'stc_set', 'webserver_set', 'radius_set', 'certificate_regenerate', 'ntls_set', 'policy_set', 'user_password_set')
      AND CASE operation
              WHEN 'ntls_set' THEN len(list_filter($ntls, lambda one: starts_with(setting, one))) > 0
              WHEN 'policy_set' THEN setting = 'force so login'
              WHEN 'user_password_set' THEN starts_with(setting, 'public key ')
              ELSE true
          END
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, run, form, count(*) AS changes, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT operation)                                                     AS operations,
        list(DISTINCT set_to) FILTER (set_to <> '')                                  AS settings,
        list(DISTINCT set_to) FILTER (list_contains($weaker, set_to))                AS weaker,
        list(DISTINCT command) FILTER (command IS NOT NULL)                          AS commands,
        list(DISTINCT account) FILTER (account IS NOT NULL)                          AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                            AS sources,
        list(record_id)                                                              AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    'remote access and crypto of ' || hsm                   AS subject,
    min(first_seen)                                         AS first_seen,
    max(last_seen)                                          AS last_seen,
    hsm                                                     AS device,
    max(changes)                                            AS changes,
    list_sort(list_distinct(flatten(list(weaker))))         AS weaker,
    list_sort(list_distinct(flatten(list(settings))))       AS settings,
    list_sort(list_distinct(flatten(list(operations))))     AS operations,
    list_sort(list_distinct(flatten(list(commands))))       AS commands,
    list_sort(list_distinct(flatten(list(accounts))))       AS accounts,
    list_sort(list_distinct(flatten(list(sources))))        AS sources,
    list_sort(flatten(list(records)))                       AS evidence
FROM witnesses
GROUP BY hsm, run
ORDER BY first_seen, subject

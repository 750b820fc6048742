"""What a user of rsyslog or syslog-ng does next: the JSON lines into typed columns of DuckDB.

python benchmarks/peers/load_rows.py ROWS.JSON STORE.DUCKDB     prints rows, seconds and CPU seconds as JSON
"""

import json
import sys
import time

import duckdb

COLUMNS = """
    facility, severity, sent_at, host, program, process_id::INTEGER AS process_id,
    event.sequence::UBIGINT AS audit_sequence, strptime(event.stamp, '%y/%m/%d %H:%M:%S') AS event_at,
    event.serial::UBIGINT AS hsm_serial, event.session::UINTEGER AS session,
    event.access_major::UBIGINT AS access_major, event.access_minor::UBIGINT AS access_minor,
    event.actor AS actor, event.operation AS vendor_event, event.return_name AS return_name,
    event.return_code::UINTEGER AS return_code, event.container::UINTEGER AS container, event.key::UBIGINT AS key,
    event.handle::UBIGINT AS handle, event.mechanism AS mechanism, event.entry AS entry
"""


def main():
    source, store = sys.argv[1:]
    begun, processor = time.monotonic(), time.process_time()
    connection = duckdb.connect(store, config={"threads": 2})
    rows = f"read_json('{source}', format = 'newline_delimited', maximum_object_size = 65536)"
    connection.execute(f"CREATE TABLE records AS SELECT {COLUMNS} FROM {rows}")
    count = connection.execute("SELECT count(*), count(audit_sequence), count(vendor_event) FROM records").fetchone()
    connection.close()
    print(json.dumps({"rows": min(count), "seconds": time.monotonic() - begun, "cpu": time.process_time() - processor}))


if __name__ == "__main__":
    main()

# psycopg 3: identity columns, COPY both ways (binary too), server-side cursors, pipelines.
import datetime

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

with psycopg.connect("") as c:
    c.execute("CREATE TABLE p3 (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v jsonb, x text)")
    with c.cursor(row_factory=dict_row) as k:
        k.execute("INSERT INTO p3 (v, x) VALUES (%s, %s) RETURNING *", (Jsonb({"a": [1]}), "é"))
        assert k.fetchall() == [{"id": 1, "v": {"a": [1]}, "x": "é"}]
        k.executemany("INSERT INTO p3 (x) VALUES (%s)", [("a",), ("b",)])
        with k.copy("COPY p3 (x) FROM STDIN") as cp:
            for i in range(3):
                cp.write_row((str(i),))
        with k.copy("COPY (SELECT id, x FROM p3 ORDER BY 1) TO STDOUT (FORMAT binary)") as cp:
            cp.set_types(["int8", "text"])
            got = list(cp.rows())
        assert got == [(1, "é"), (2, "a"), (3, "b"), (4, "0"), (5, "1"), (6, "2")], got
    with c.transaction():
        try:
            with c.transaction():
                c.execute("INSERT INTO p3 (id) VALUES (1)")
            raise AssertionError("a value for a GENERATED ALWAYS column was let in")
        except psycopg.Error as e:
            assert e.sqlstate == "428C9" and e.diag.message_hint == "Use OVERRIDING SYSTEM VALUE to override.", e
    with c.cursor("srv") as s:
        s.execute("SELECT * FROM generate_series(1, 10)")
        assert s.fetchmany(3) == [(1,), (2,), (3,)]
        s.scroll(2)
        assert s.fetchone() == (6,)
    with c.pipeline():
        a, b = c.execute("SELECT 1"), c.execute("SELECT 2")
        assert (a.fetchone(), b.fetchone()) == ((1,), (2,))
    assert c.execute("SELECT %s = ANY(%s)", (1, [1, 2])).fetchone() == (True,)
    assert c.execute("SELECT interval '1 day 2 hours'").fetchone() == (datetime.timedelta(days=1, seconds=7200),)
    assert c.info.encoding == "utf-8" and c.info.server_version >= 150000
    c.execute("DROP TABLE p3")
print("ok")

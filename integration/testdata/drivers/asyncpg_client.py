# asyncpg: binary formats of all types, COPY of records, cursors, listeners, pools.
import asyncio
import datetime
import decimal
import json
import os
import uuid

import asyncpg

url = "postgresql://%(PGUSER)s@%(PGHOST)s:%(PGPORT)s/%(PGDATABASE)s" % os.environ


async def main():
    c = await asyncpg.connect(url)
    await c.execute("""CREATE TABLE ap (id serial PRIMARY KEY, a int[], j jsonb, n numeric, d date, ts timestamptz,
        iv interval, u uuid, t time, b bytea, f real, tt text[])""")
    args = [[1, 2, None], json.dumps({"a": 1}), decimal.Decimal("123.4500"), datetime.date(2024, 2, 29),
            datetime.datetime(2024, 2, 29, 1, 2, 3, 456789, datetime.timezone.utc), datetime.timedelta(days=1, seconds=5),
            uuid.uuid4(), datetime.time(1, 2, 3), b"xy", 1.5, ["a", 'b"', None]]
    r = await c.fetchrow("""INSERT INTO ap (a, j, n, d, ts, iv, u, t, b, f, tt)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *""", *args)
    assert list(r)[1:] == args and str(r["n"]) == "123.4500", r
    assert await c.copy_records_to_table("ap", records=[([1], "{}"), ([2], "{}")], columns=["a", "j"]) == "COPY 2"
    assert [x["id"] for x in await c.fetch("SELECT id FROM ap WHERE id = ANY($1::int[]) ORDER BY 1", [1, 2, 3])] == [1, 2, 3]
    async with c.transaction(isolation="repeatable_read"):
        assert [x["id"] async for x in c.cursor("SELECT id FROM ap ORDER BY id", prefetch=1)] == [1, 2, 3]
    assert await c.fetchval("SELECT row(1, 'a')") == (1, "a")
    rows = await c.fetch("SELECT * FROM unnest($1::int[], $2::text[]) AS t(a, b)", [1, 2], ["x", "y"])
    assert [tuple(x) for x in rows] == [(1, "x"), (2, "y")], rows
    await c.executemany("INSERT INTO ap (n) VALUES ($1)", [(decimal.Decimal(i),) for i in range(100)])
    assert str(await c.fetchval("SELECT sum(n) FROM ap")) == "5073.4500"
    tr = c.transaction()
    await tr.start()
    try:
        await c.execute("INSERT INTO ap (id) VALUES (1)")
        raise AssertionError("a duplicate key was let in")
    except asyncpg.UniqueViolationError as e:
        assert (e.constraint_name, e.detail) == ("ap_pkey", "Key (id)=(1) already exists."), e
    await tr.rollback()
    heard = asyncio.get_running_loop().create_future()
    await c.add_listener("ch", lambda _, pid, channel, payload: heard.done() or heard.set_result((channel, payload)))
    await c.execute("NOTIFY ch, 'hello'")
    assert await asyncio.wait_for(heard, 30) == ("ch", "hello")
    s = await c.prepare("SELECT $1::int + $2")
    assert [p.name for p in s.get_parameters()] == ["int4", "int4"] and await s.fetchval(1, 2) == 3
    await c.close()
    p = await asyncpg.create_pool(url, min_size=2, max_size=4)
    assert await asyncio.gather(*[p.fetchval("SELECT $1::int", i) for i in range(20)]) == list(range(20))
    await p.execute("DROP TABLE ap")
    await p.close()


asyncio.run(main())
print("ok")

-- Queries as applications and analysts write them, for which a database must find an index or an algorithm that is not
-- quadratic. Load it into an empty database of each server, and compare the times of what follows "timed":
--
--	psql -X -q -f bench/shapes.sql postgres://postgres@127.0.0.1:5432/postgres
--
-- Each statement runs three times; the third time counts. docs/benchmarks.md has figures.
\set QUIET on
SET client_min_messages = warning;
DROP TABLE IF EXISTS orders, customers, a, b, events, parents, children CASCADE;
CREATE TABLE customers (id int PRIMARY KEY, name text, email text);
INSERT INTO customers SELECT i, 'Name ' || i, 'User' || i || '@Example.com' FROM generate_series(1, 20000) i;
CREATE INDEX customers_name ON customers (name text_pattern_ops);
CREATE INDEX customers_email ON customers (lower(email) text_pattern_ops);
CREATE TABLE orders (id int PRIMARY KEY, customer int, status text, ts timestamp, d date, total numeric);
INSERT INTO orders SELECT i, i % 20000 + 1, (ARRAY['new', 'paid', 'done', 'done', 'done'])[i % 5 + 1], timestamp '2023-01-01' + i * interval '1 minute',
	date '2023-01-01' + i / 1440, i % 977 FROM generate_series(1, 100000) i;
CREATE INDEX orders_customer ON orders (customer);
CREATE INDEX orders_ts ON orders (ts);
CREATE INDEX orders_d ON orders (d);
CREATE INDEX orders_status ON orders (status);
CREATE TABLE a (id int PRIMARY KEY, k text, n int);
INSERT INTO a SELECT i, 'K' || i, i FROM generate_series(1, 20000) i;
CREATE TABLE b (id int PRIMARY KEY, k text, n int);
INSERT INTO b SELECT i, 'k' || i * 2, i * 2 FROM generate_series(1, 20000) i;
CREATE TABLE events (id int PRIMARY KEY, doc jsonb);
INSERT INTO events SELECT i, jsonb_build_object('page', 'p' || i % 5000, 'ms', i % 1000, 'tags', jsonb_build_array('a' || i % 10)) FROM generate_series(1, 100000) i;
CREATE INDEX events_doc ON events USING gin (doc);
CREATE INDEX events_page ON events ((doc ->> 'page'));
CREATE TABLE parents (id int PRIMARY KEY);
INSERT INTO parents SELECT i FROM generate_series(1, 20000) i;
CREATE TABLE children (id int PRIMARY KEY, parent int NOT NULL REFERENCES parents ON DELETE CASCADE);
INSERT INTO children SELECT i, i / 2 + 1 FROM generate_series(1, 39000) i;
CREATE INDEX children_parent ON children (parent);
ANALYZE;

\pset format unaligned
\pset tuples_only on
\o /dev/null
\warn timed: two indexes, one good
\timing on
SELECT * FROM orders WHERE customer = 77 AND status = 'done' ORDER BY ts DESC LIMIT 5;
SELECT * FROM orders WHERE customer = 77 AND status = 'done' ORDER BY ts DESC LIMIT 5;
SELECT * FROM orders WHERE customer = 77 AND status = 'done' ORDER BY ts DESC LIMIT 5;
\timing off
\warn timed: EXISTS with two conditions
\timing on
SELECT count(*) FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id AND o.status = 'paid');
SELECT count(*) FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id AND o.status = 'paid');
SELECT count(*) FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id AND o.status = 'paid');
\timing off
\warn timed: LEFT JOIN with two conditions
\timing on
SELECT count(*) FROM customers c LEFT JOIN orders o ON o.customer = c.id AND o.status = 'paid';
SELECT count(*) FROM customers c LEFT JOIN orders o ON o.customer = c.id AND o.status = 'paid';
SELECT count(*) FROM customers c LEFT JOIN orders o ON o.customer = c.id AND o.status = 'paid';
\timing off
\warn timed: an index on an expression
\timing on
SELECT count(*) FROM events WHERE doc ->> 'page' = 'p77';
SELECT count(*) FROM events WHERE doc ->> 'page' = 'p77';
SELECT count(*) FROM events WHERE doc ->> 'page' = 'p77';
\timing off
\warn timed: jsonb @>
\timing on
SELECT count(*) FROM events WHERE doc @> '{"page": "p77"}';
SELECT count(*) FROM events WHERE doc @> '{"page": "p77"}';
SELECT count(*) FROM events WHERE doc @> '{"page": "p77"}';
\timing off
\warn timed: LIKE with a prefix
\timing on
SELECT count(*) FROM customers WHERE name LIKE 'Name 123%';
SELECT count(*) FROM customers WHERE name LIKE 'Name 123%';
SELECT count(*) FROM customers WHERE name LIKE 'Name 123%';
\timing off
\warn timed: ~ with a prefix, lower()
\timing on
SELECT count(*) FROM customers WHERE lower(email) ~ '^user123';
SELECT count(*) FROM customers WHERE lower(email) ~ '^user123';
SELECT count(*) FROM customers WHERE lower(email) ~ '^user123';
\timing off
\warn timed: timestamp column, timestamptz
\timing on
SELECT count(*) FROM orders WHERE ts > timestamptz '2023-03-11 00:00+00' - interval '1 hour';
SELECT count(*) FROM orders WHERE ts > timestamptz '2023-03-11 00:00+00' - interval '1 hour';
SELECT count(*) FROM orders WHERE ts > timestamptz '2023-03-11 00:00+00' - interval '1 hour';
\timing off
\warn timed: date column, timestamp
\timing on
SELECT count(*) FROM orders WHERE d >= date '2023-03-10' + interval '1 day';
SELECT count(*) FROM orders WHERE d >= date '2023-03-10' + interval '1 day';
SELECT count(*) FROM orders WHERE d >= date '2023-03-10' + interval '1 day';
\timing off
\warn timed: RIGHT JOIN without an index
\timing on
SELECT count(*) FROM a RIGHT JOIN b ON a.n = b.n;
SELECT count(*) FROM a RIGHT JOIN b ON a.n = b.n;
SELECT count(*) FROM a RIGHT JOIN b ON a.n = b.n;
\timing off
\warn timed: FULL JOIN without an index
\timing on
SELECT count(*) FROM a FULL JOIN b ON a.n = b.n;
SELECT count(*) FROM a FULL JOIN b ON a.n = b.n;
SELECT count(*) FROM a FULL JOIN b ON a.n = b.n;
\timing off
\warn timed: NOT EXISTS without an index
\timing on
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.n = a.n);
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.n = a.n);
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.n = a.n);
\timing off
\warn timed: rows NOT IN
\timing on
SELECT count(*) FROM a WHERE (n, k) NOT IN (SELECT n, k FROM b);
SELECT count(*) FROM a WHERE (n, k) NOT IN (SELECT n, k FROM b);
SELECT count(*) FROM a WHERE (n, k) NOT IN (SELECT n, k FROM b);
\timing off
\warn timed: > ANY
\timing on
SELECT count(*) FROM orders WHERE total > ANY (SELECT n FROM a WHERE id < 40);
SELECT count(*) FROM orders WHERE total > ANY (SELECT n FROM a WHERE id < 40);
SELECT count(*) FROM orders WHERE total > ANY (SELECT n FROM a WHERE id < 40);
\timing off
\warn timed: a join by expressions
\timing on
SELECT count(*) FROM a JOIN b ON upper(a.k) = upper(b.k);
SELECT count(*) FROM a JOIN b ON upper(a.k) = upper(b.k);
SELECT count(*) FROM a JOIN b ON upper(a.k) = upper(b.k);
\timing off
\warn timed: a chain of LEFT JOINs
\timing on
SELECT count(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer LEFT JOIN a ON a.id = c.id WHERE a.id = 77;
SELECT count(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer LEFT JOIN a ON a.id = c.id WHERE a.id = 77;
SELECT count(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer LEFT JOIN a ON a.id = c.id WHERE a.id = 77;
\timing off
\warn timed: unnest of two arrays
\timing on
SELECT count(*) FROM unnest((SELECT array_agg(i) FROM generate_series(1, 4000) i), (SELECT array_agg(i) FROM generate_series(1, 4000) i)) u(x, y);
SELECT count(*) FROM unnest((SELECT array_agg(i) FROM generate_series(1, 4000) i), (SELECT array_agg(i) FROM generate_series(1, 4000) i)) u(x, y);
SELECT count(*) FROM unnest((SELECT array_agg(i) FROM generate_series(1, 4000) i), (SELECT array_agg(i) FROM generate_series(1, 4000) i)) u(x, y);
\timing off
\warn timed: ON DELETE CASCADE
\timing on
BEGIN; DELETE FROM parents WHERE id <= 4000; ROLLBACK;
BEGIN; DELETE FROM parents WHERE id <= 4000; ROLLBACK;
BEGIN; DELETE FROM parents WHERE id <= 4000; ROLLBACK;
\timing off
\warn timed: row_number() <= 10
\timing on
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) x WHERE n <= 10;
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) x WHERE n <= 10;
SELECT * FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) x WHERE n <= 10;
\timing off
\warn timed: DISTINCT ON … LIMIT
\timing on
SELECT DISTINCT ON (customer) customer, id FROM orders ORDER BY customer, id DESC LIMIT 10;
SELECT DISTINCT ON (customer) customer, id FROM orders ORDER BY customer, id DESC LIMIT 10;
SELECT DISTINCT ON (customer) customer, id FROM orders ORDER BY customer, id DESC LIMIT 10;
\timing off
\warn timed: GROUP BY date_trunc
\timing on
SELECT date_trunc('day', ts), count(*) FROM orders GROUP BY 1;
SELECT date_trunc('day', ts), count(*) FROM orders GROUP BY 1;
SELECT date_trunc('day', ts), count(*) FROM orders GROUP BY 1;
\timing off
\warn timed: json_agg of rows
\timing on
SELECT length(json_agg(o)::text) FROM orders o;
SELECT length(json_agg(o)::text) FROM orders o;
SELECT length(json_agg(o)::text) FROM orders o;
\timing off

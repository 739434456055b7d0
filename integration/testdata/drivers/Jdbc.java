// pgjdbc: batches with generated keys, server-prepared statements with binary results, fetch size, savepoints, metadata,
// callable statements, updatable results, COPY, time-outs.
import java.io.StringReader;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

public class Jdbc {
	static void is(Object got, Object want) {
		if (!Objects.equals(String.valueOf(got), String.valueOf(want))) throw new AssertionError("got " + got + ", want " + want);
	}

	static int count(ResultSet r) throws SQLException {
		int n = 0;
		while (r.next()) n++;
		return n;
	}

	public static void main(String[] args) throws Exception {
		Map<String, String> env = System.getenv();
		String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE") + "?user=" + env.get("PGUSER");
		try (Connection c = DriverManager.getConnection(url)) {
			DatabaseMetaData m = c.getMetaData();
			is(m.getDatabaseProductName(), "PostgreSQL");
			Statement s = c.createStatement();
			s.execute("CREATE TABLE jt (id serial PRIMARY KEY, a int, b text, c numeric(10,2), d timestamptz, e bool, f bytea, g date, h double precision, i uuid, j jsonb, k int[])");
			s.execute("CREATE TABLE jr (id int PRIMARY KEY, jt_id int REFERENCES jt (id))");
			PreparedStatement ps = c.prepareStatement("INSERT INTO jt (a, b, c, d, e, f, g, h, i, j, k) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?::jsonb, ?)", Statement.RETURN_GENERATED_KEYS);
			UUID uuid = UUID.randomUUID();
			for (int r = 0; r < 10; r++) {
				ps.setInt(1, r); ps.setString(2, "s" + r); ps.setBigDecimal(3, new BigDecimal("1.50")); ps.setTimestamp(4, new Timestamp(0)); ps.setBoolean(5, true);
				ps.setBytes(6, new byte[] {1, 2}); ps.setDate(7, java.sql.Date.valueOf("2024-02-29")); ps.setDouble(8, 1.5); ps.setObject(9, uuid);
				ps.setString(10, "{\"a\":1}"); ps.setArray(11, c.createArrayOf("int4", new Integer[] {1, 2, null}));
				ps.addBatch();
			}
			is(ps.executeBatch().length, 10);
			is(count(ps.getGeneratedKeys()), 10);
			PreparedStatement q = c.prepareStatement("SELECT * FROM jt WHERE a >= ? ORDER BY id");
			for (int i = 0; i < 8; i++) { // from the sixth on, prepared by the server, with binary results
				q.setInt(1, 9);
				ResultSet r = q.executeQuery();
				r.next();
				is(r.getString("b") + r.getBigDecimal("c") + r.getTimestamp("d").getTime() + r.getBoolean("e") + r.getBytes("f").length + r.getDate("g") + r.getDouble("h"), "s91.500true22024-02-291.5");
				is(r.getObject("i"), uuid);
				is(Arrays.toString((Object[]) r.getArray("k").getArray()), "[1, 2, null]");
				is(r.getObject("j"), "{\"a\": 1}");
			}
			c.setAutoCommit(false);
			PreparedStatement f = c.prepareStatement("SELECT id FROM jt");
			f.setFetchSize(3);
			is(count(f.executeQuery()), 10);
			Savepoint sp = c.setSavepoint("x");
			try {
				s.execute("INSERT INTO jt (id) VALUES (1)");
				throw new AssertionError("a duplicate key was let in");
			} catch (SQLException e) {
				is(e.getSQLState(), "23505");
				c.rollback(sp);
			}
			c.commit();
			c.setAutoCommit(true);
			is(count(m.getTables(null, "public", "j%", new String[] {"TABLE"})), 2);
			ResultSet col = m.getColumns(null, "public", "jt", "id");
			col.next();
			is(col.getString("TYPE_NAME") + col.getString("IS_AUTOINCREMENT"), "serialYES");
			ResultSet pk = m.getPrimaryKeys(null, "public", "jt");
			pk.next();
			is(pk.getString("COLUMN_NAME"), "id");
			is(count(m.getIndexInfo(null, "public", "jt", false, false)), 1);
			ResultSet fk = m.getImportedKeys(null, "public", "jr");
			fk.next();
			is(fk.getString("PKTABLE_NAME") + fk.getString("PKCOLUMN_NAME"), "jtid");
			for (ResultSet r : new ResultSet[] {m.getSchemas(), m.getCatalogs(), m.getTypeInfo(), m.getExportedKeys(null, null, "jt"), m.getBestRowIdentifier(null, null, "jt", 0, true), m.getTableTypes()})
				if (count(r) == 0) throw new AssertionError("no rows of metadata");
			CallableStatement cs = c.prepareCall("{? = call upper(?)}");
			cs.registerOutParameter(1, Types.VARCHAR);
			cs.setString(2, "abc");
			cs.execute();
			is(cs.getString(1), "ABC");
			Statement u = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
			ResultSet ur = u.executeQuery("SELECT * FROM jt WHERE id = 2");
			ur.next();
			ur.updateString("b", "upd");
			ur.updateRow();
			is(count(s.executeQuery("SELECT 1 FROM jt WHERE b = 'upd'")), 1);
			is(new org.postgresql.copy.CopyManager((org.postgresql.core.BaseConnection) c).copyIn("COPY jt (a, b) FROM STDIN CSV", new StringReader("100,x\n101,y\n")), 2);
			s.setQueryTimeout(1);
			try {
				s.execute("SELECT pg_sleep(30)");
				throw new AssertionError("no time-out");
			} catch (SQLException e) {
				is(e.getSQLState(), "57014");
			}
			is(c.isValid(30), true);
			s.setQueryTimeout(0);
			s.execute("DROP TABLE jr, jt");
		}
		System.out.println("ok");
	}
}

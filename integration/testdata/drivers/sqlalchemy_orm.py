# SQLAlchemy over psycopg2: declarative tables, relationships, savepoints, upserts, reflection.
import datetime
import decimal
import os
import uuid

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Session, declarative_base, relationship

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50), nullable=False, unique=True)
    created = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
    data = sa.Column(pg.JSONB)
    tags = sa.Column(pg.ARRAY(sa.Text))
    uid = sa.Column(pg.UUID(as_uuid=True), default=uuid.uuid4)
    balance = sa.Column(sa.Numeric(10, 2))
    posts = relationship("Post", back_populates="user", cascade="all, delete-orphan")


class Post(Base):
    __tablename__ = "posts"
    id = sa.Column(sa.BigInteger, primary_key=True)
    user_id = sa.Column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title = sa.Column(sa.Text)
    day = sa.Column(sa.Date)
    user = relationship("User", back_populates="posts")


e = sa.create_engine("postgresql+psycopg2://%(PGUSER)s@%(PGHOST)s:%(PGPORT)s/%(PGDATABASE)s" % os.environ)
Base.metadata.create_all(e)
with Session(e) as s:
    u = User(name="ann", data={"a": [1, 2, {"b": None}]}, tags=["x", 'y"z', None], balance=decimal.Decimal("12.50"))
    u.posts = [Post(title="t%d" % i, day=datetime.date(2024, 1, i + 1)) for i in range(5)]
    s.add(u)
    s.commit()
    assert u.data == {"a": [1, 2, {"b": None}]} and u.tags == ["x", 'y"z', None] and str(u.balance) == "12.50", (u.data, u.tags, u.balance)
    assert [p.id for p in u.posts] == [1, 2, 3, 4, 5]
    rows = s.execute(sa.select(User.name, sa.func.count(Post.id)).join(Post).group_by(User.name)).all()
    assert rows == [("ann", 5)], rows
    assert s.execute(sa.select(User).where(User.data["a"][0].astext == "1")).scalars().all() == [u]
    days = sa.select(Post.id).where(Post.day.between("2024-01-02", "2024-01-04")).order_by(Post.id.desc()).limit(2).offset(1)
    assert s.execute(days).scalars().all() == [3, 2]
    up = pg.insert(User).values(name="ann", balance=1)
    up = up.on_conflict_do_update(index_elements=["name"], set_={"balance": User.balance + 1}).returning(User.balance)
    assert str(s.execute(up).scalar()) == "13.50"
    with s.begin_nested():
        s.add(User(name="bob"))
    try:
        with s.begin_nested():
            s.add(User(name="bob"))
            s.flush()
        raise AssertionError("a second bob was let in")
    except sa.exc.IntegrityError as x:
        assert x.orig.pgcode == "23505", x.orig.pgcode
    s.commit()
    u = s.get(User, 1)
    del u.posts[0]
    s.commit()
    assert s.scalar(sa.select(sa.func.count()).select_from(Post)) == 4

i = sa.inspect(e)
assert sorted(i.get_table_names()) == ["posts", "users"], i.get_table_names()
assert [str(c["type"]) for c in i.get_columns("users")] == \
    ["INTEGER", "VARCHAR(50)", "TIMESTAMP", "JSONB", "ARRAY", "UUID", "NUMERIC(10, 2)"], i.get_columns("users")
assert i.get_pk_constraint("users")["constrained_columns"] == ["id"]
fk = i.get_foreign_keys("posts")[0]
assert (fk["referred_table"], fk["options"]) == ("users", {"ondelete": "CASCADE"}), fk
assert [x["column_names"] for x in i.get_indexes("posts")] == [["user_id"]]
assert i.get_unique_constraints("users")[0]["column_names"] == ["name"]
m = sa.MetaData()
m.reflect(e)
assert sorted(m.tables) == ["posts", "users"]
Base.metadata.drop_all(e)
print("ok")

# Django: the migrations of its own applications, models made by the schema editor, queries of many kinds.
import datetime
import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
                           "USER": os.environ["PGUSER"], "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"]}})
django.setup()

from django.contrib.postgres.fields import ArrayField
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Case, Count, Exists, F, IntegerField, Max, OuterRef, Q, Subquery, Sum, Value, When, Window
from django.db.models.functions import Concat, Length, RowNumber, TruncYear, Upper


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    meta = models.JSONField(default=dict)

    class Meta:
        app_label = "auth"


class Book(models.Model):
    title = models.CharField(max_length=200, db_index=True)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    published = models.DateField(null=True)
    tags = ArrayField(models.CharField(max_length=10), default=list)
    dur = models.DurationField(null=True)

    class Meta:
        app_label = "auth"
        constraints = [models.CheckConstraint(check=~Q(title=""), name="title_nonempty")]
        indexes = [models.Index(fields=["author", "published"], name="book_author_published")]


call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Author)
    editor.create_model(Book)

a = Author.objects.create(name="ann", meta={"k": [1, 2], "z": {"y": "q"}})
Book.objects.bulk_create([Book(title="b%d" % i, author=a, published=datetime.date(2020 + i, 1, 1), tags=["t%d" % i, "c"],
                               dur=datetime.timedelta(hours=i)) for i in range(5)])
assert list(Author.objects.annotate(n=Count("books"), last=Max("books__published")).values_list("n", "last")) == [(5, datetime.date(2024, 1, 1))]
got = list(Book.objects.filter(tags__contains=["c"], published__year__gte=2021).annotate(
    y=TruncYear("published"), l=Length("title"), u=Upper("title")).values_list("y", "l", "u").order_by("-published")[:2])
assert got == [(datetime.date(2024, 1, 1), 2, "B4"), (datetime.date(2023, 1, 1), 2, "B3")], got
assert Author.objects.filter(meta__z__y="q", meta__k__0=1, meta__has_key="k").count() == 1
assert Book.objects.filter(title__icontains="B1").exists() and Book.objects.filter(title__regex="^b[0-2]$").count() == 3
ranks = Book.objects.annotate(r=Window(RowNumber(), partition_by=[F("author")], order_by=F("published").desc()))
assert sorted(ranks.values_list("title", "r")) == [("b0", 5), ("b1", 4), ("b2", 3), ("b3", 2), ("b4", 1)]
Book.objects.filter(title="b1").update(title=Concat(F("title"), Value("!")), published=F("published") + datetime.timedelta(days=3))
assert Book.objects.get(title="b1!").published == datetime.date(2021, 1, 4)
long = Book.objects.filter(dur__gt=datetime.timedelta(hours=2)).values("pk")
assert Book.objects.filter(pk__in=Subquery(long)).aggregate(s=Sum("dur")) == {"s": datetime.timedelta(hours=7)}
with transaction.atomic():
    b = Book.objects.select_for_update().get(title="b2")
    b.title = "B2"
    b.save()
    try:
        with transaction.atomic():
            Author.objects.create(name="ann")
        raise AssertionError("a second ann was let in")
    except IntegrityError:
        pass
assert Book.objects.filter(title="B2").count() == 1
try:
    Book.objects.create(title="", author=a)
    raise AssertionError("an empty title was let in")
except IntegrityError:
    pass
kinds = Book.objects.annotate(s=Case(When(title__startswith="b", then=Value(1)), default=Value(0), output_field=IntegerField()))
assert sorted(kinds.values_list("s", flat=True)) == [0, 1, 1, 1, 1]
assert Author.objects.filter(Exists(Book.objects.filter(author=OuterRef("pk")))).count() == 1
assert len(list(Book.objects.all().iterator(chunk_size=2))) == 5
assert sorted(connection.introspection.get_constraints(connection.cursor(), "auth_book")["title_nonempty"].items())[0] == ("check", True)
a.delete()
assert Book.objects.count() == 0
call_command("flush", interactive=False, verbosity=0)
print("ok")

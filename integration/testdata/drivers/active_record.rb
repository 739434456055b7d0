# Rails' ActiveRecord: migrations, associations, upserts, locks, the schema dumper.
require 'active_record'
require 'stringio'
ActiveRecord::Base.establish_connection(adapter: 'postgresql', host: ENV['PGHOST'], port: ENV['PGPORT'], username: ENV['PGUSER'], database: ENV['PGDATABASE'])
ActiveRecord::Migration.verbose = false
def is(got, want) = got == want || raise("got #{got.inspect}, want #{want.inspect}")

class CreateAll < ActiveRecord::Migration[6.1]
  def change
    create_table :cats do |t|
      t.string :name, null: false, limit: 40
      t.jsonb :meta, default: {}
      t.decimal :w, precision: 8, scale: 2
      t.integer :tags, array: true, default: []
      t.timestamps
      t.index :name, unique: true
    end
    create_table :kits do |t|
      t.references :cat, foreign_key: { on_delete: :cascade }
      t.boolean :ok, default: false
      t.uuid :u
      t.date :d
    end
    add_column :kits, :note, :text
    rename_column :kits, :note, :notes
    add_check_constraint :kits, "d > '2000-01-01'", name: 'dd'
    change_column_default :kits, :ok, from: false, to: true
    add_index :kits, [:cat_id, :d]
    change_table_comment :kits, 'kittens'
    change_column :kits, :notes, :string, limit: 20
  end
end
CreateAll.migrate(:up)
class Cat < ActiveRecord::Base; has_many :kits; end
class Kit < ActiveRecord::Base; belongs_to :cat; end

c = Cat.create!(name: 'tom', meta: { a: 1 }, w: 3.25, tags: [1, 2])
3.times { |i| c.kits.create!(d: Date.new(2020, 1, i + 1)) }
is Cat.includes(:kits).where(name: 'tom').first.kits.size, 3
is Kit.joins(:cat).where("cats.meta->>'a' = '1'").count, 3
is Kit.group(:d).count.values, [1, 1, 1]
is Cat.where('? = any(tags)', 1).pluck(:name), ['tom']
begin
  Cat.create!(name: 'tom')
  raise 'a second tom was let in'
rescue ActiveRecord::RecordNotUnique
end
now = Time.now
is Cat.upsert({ name: 'tom', w: 9, created_at: now, updated_at: now }, unique_by: :name).rows, [[c.id]]
Cat.transaction do
  c.lock!
  c.update!(w: 4)
  raise ActiveRecord::Rollback
end
is c.reload.w, 9
is Kit.find_each(batch_size: 2).map(&:id).size, 3
conn = ActiveRecord::Base.connection
is Kit.columns.map { |x| [x.name, x.sql_type] }, [%w[id bigint], %w[cat_id bigint], %w[ok boolean], %w[u uuid], %w[d date], ['notes', 'character varying(20)']]
is conn.indexes('kits').map(&:columns), [['cat_id'], %w[cat_id d]]
is conn.foreign_keys('kits').map(&:on_delete), [:cascade]
is conn.check_constraints('kits').map(&:name), ['dd']
is conn.table_comment('kits'), 'kittens'
s = StringIO.new
ActiveRecord::SchemaDumper.dump(conn, s)
is s.string.include?('t.decimal "w", precision: 8, scale: 2'), true
conn.disable_referential_integrity { Kit.delete_all }
is conn.get_advisory_lock(1234), true
CreateAll.migrate(:down) rescue nil # change_column can't be undone: nothing is lost by trying
puts 'ok'

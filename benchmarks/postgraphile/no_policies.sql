-- Takes everything back that policies.sql makes, as far as it is there.
ALTER TABLE customers DISABLE ROW LEVEL SECURITY;
ALTER TABLE contacts DISABLE ROW LEVEL SECURITY;
ALTER TABLE orders DISABLE ROW LEVEL SECURITY;
ALTER TABLE order_lines DISABLE ROW LEVEL SECURITY;
ALTER TABLE opportunities DISABLE ROW LEVEL SECURITY;
ALTER TABLE tickets DISABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS rapport_bench ON customers;
DROP POLICY IF EXISTS rapport_bench ON contacts;
DROP POLICY IF EXISTS rapport_bench ON orders;
DROP POLICY IF EXISTS rapport_bench ON order_lines;
DROP POLICY IF EXISTS rapport_bench ON opportunities;
DROP POLICY IF EXISTS rapport_bench ON tickets;
DROP SCHEMA IF EXISTS rapport_bench CASCADE;
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rapport_bench_seller') THEN
        DROP OWNED BY rapport_bench_seller;
        DROP ROLE rapport_bench_seller;
    END IF;
END $$;

-- The rows of SALES, as auth/scopes.py says OWN: customers that one owns, or of whom one owns a live opportunity or is
-- assigned a live ticket; contacts, orders and lines follow their customer, tickets their customer or assignee.
CREATE ROLE rapport_bench_seller NOLOGIN;
CREATE SCHEMA rapport_bench;
GRANT USAGE ON SCHEMA public, rapport_bench TO rapport_bench_seller;
GRANT SELECT ON customers, contacts, orders, order_lines, opportunities, tickets TO rapport_bench_seller;

CREATE FUNCTION rapport_bench.me() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN current_setting('rapport_bench.user_id')::uuid;

-- A definer sees all rows: policies that asked each other would never end.
CREATE FUNCTION rapport_bench.customers() RETURNS SETOF uuid LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
BEGIN ATOMIC
    SELECT id FROM customers WHERE owner_id = rapport_bench.me()
    UNION ALL
    SELECT customer_id FROM opportunities WHERE owner_id = rapport_bench.me() AND deleted_at IS NULL
    UNION ALL
    SELECT customer_id FROM tickets WHERE assignee_id = rapport_bench.me() AND deleted_at IS NULL;
END;

CREATE POLICY rapport_bench ON customers FOR SELECT TO rapport_bench_seller
USING (owner_id = rapport_bench.me() OR id IN (SELECT rapport_bench.customers()));
CREATE POLICY rapport_bench ON contacts FOR SELECT TO rapport_bench_seller
USING (customer_id IN (SELECT rapport_bench.customers()));
CREATE POLICY rapport_bench ON orders FOR SELECT TO rapport_bench_seller
USING (customer_id IN (SELECT rapport_bench.customers()));
CREATE POLICY rapport_bench ON order_lines FOR SELECT TO rapport_bench_seller
USING (EXISTS (SELECT FROM orders WHERE orders.id = order_id));
CREATE POLICY rapport_bench ON opportunities FOR SELECT TO rapport_bench_seller
USING (owner_id = rapport_bench.me() OR customer_id IN (SELECT rapport_bench.customers()));
CREATE POLICY rapport_bench ON tickets FOR SELECT TO rapport_bench_seller
USING (assignee_id = rapport_bench.me() OR customer_id IN (SELECT rapport_bench.customers()));

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE opportunities ENABLE ROW LEVEL SECURITY;
ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;

-- The rows of SALES, as auth/scopes.py says OWN: customers that one owns, or of whom one owns a live opportunity or is
-- assigned a live ticket; contacts, orders and lines follow their customer, tickets their customer or assignee.
CREATE ROLE rapport_bench_seller NOLOGIN;
CREATE SCHEMA rapport_bench;
GRANT USAGE ON SCHEMA public, rapport_bench TO rapport_bench_seller;
GRANT SELECT ON customers, contacts, orders, order_lines, opportunities, tickets TO rapport_bench_seller;

CREATE FUNCTION rapport_bench.me() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN current_setting('rapport_bench.user_id')::uuid;

-- Views show their owner's rows: policies that asked each other's tables would never end.
CREATE VIEW rapport_bench.opportunities AS
SELECT customer_id, owner_id FROM public.opportunities WHERE deleted_at IS NULL;
CREATE VIEW rapport_bench.tickets AS
SELECT customer_id, assignee_id FROM public.tickets WHERE deleted_at IS NULL;
GRANT SELECT ON rapport_bench.opportunities, rapport_bench.tickets TO rapport_bench_seller;

-- Customers are gathered once a statement, into arrays that indexes are sought by, as our own statements gather them.
-- In short trials, tests row by row and a definer's set of ids cost PostgreSQL as much or more on the lists.
CREATE POLICY rapport_bench ON customers FOR SELECT TO rapport_bench_seller
USING (
    owner_id = rapport_bench.me()
    OR id = ANY (ARRAY(SELECT customer_id FROM rapport_bench.opportunities WHERE owner_id = rapport_bench.me()))
    OR id = ANY (ARRAY(SELECT customer_id FROM rapport_bench.tickets WHERE assignee_id = rapport_bench.me()))
);
CREATE POLICY rapport_bench ON contacts FOR SELECT TO rapport_bench_seller
USING (EXISTS (SELECT FROM customers WHERE customers.id = customer_id));
CREATE POLICY rapport_bench ON orders FOR SELECT TO rapport_bench_seller
USING (EXISTS (SELECT FROM customers WHERE customers.id = customer_id));
CREATE POLICY rapport_bench ON order_lines FOR SELECT TO rapport_bench_seller
USING (EXISTS (SELECT FROM orders WHERE orders.id = order_id));
CREATE POLICY rapport_bench ON opportunities FOR SELECT TO rapport_bench_seller
USING (owner_id = rapport_bench.me() OR EXISTS (SELECT FROM customers WHERE customers.id = customer_id));
CREATE POLICY rapport_bench ON tickets FOR SELECT TO rapport_bench_seller
USING (assignee_id = rapport_bench.me() OR EXISTS (SELECT FROM customers WHERE customers.id = customer_id));

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE opportunities ENABLE ROW LEVEL SECURITY;
ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;

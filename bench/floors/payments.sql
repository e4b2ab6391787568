-- Floor of `payments`: the rows of one stored payment put in again, one transaction a payment, over one bare connection.

-- section: tables
-- contributions_payment contributions_paymentline contributions_figuredelta audit_auditevent

-- section: work
INSERT INTO floor.contributions_payment SELECT * FROM public.contributions_payment WHERE id = %(payment)s;
INSERT INTO floor.contributions_paymentline SELECT * FROM public.contributions_paymentline WHERE payment_id = %(payment)s;
INSERT INTO floor.contributions_figuredelta (plan_id, township_id, unit_id, insurance, band, day, paid, paid_amount,
    confirmed, confirmed_amount, settled_amount)
SELECT c.plan_id, c.township_id, c.unit_id, c.insurance, '16-44', p.paid_on, 1, l.amount, 0, 0, 0
FROM public.contributions_paymentline l
JOIN public.contributions_payment p ON p.id = l.payment_id
JOIN public.contributions_charge c ON c.id = l.charge_id
WHERE l.payment_id = %(payment)s;
INSERT INTO floor.audit_auditevent SELECT * FROM public.audit_auditevent WHERE id = %(event)s;

-- section: same
SELECT abs((SELECT count(*) FROM floor.contributions_payment) - %(payments)s)

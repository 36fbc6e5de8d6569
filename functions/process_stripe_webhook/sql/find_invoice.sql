-- Whose an invoice is that events before have brought.
SELECT organization_id FROM app.invoices WHERE stripe_invoice_id = %(stripe_invoice_id)s

//! Commands that come twice.

use super::Apply;
use crate::kernel::state::{
    Envelope, Order, Outcome, RequestId, Table, TableError, TablesMut, keys, rows,
};
use crate::limits::REQUEST_IDS_MAX;

impl<T: TablesMut> Apply<'_, T> {
    /// Carries out a command, unless its request was answered before: then the answer is the same,
    /// and nothing happens.
    pub(super) fn answer(&mut self, envelope: &Envelope) -> Result<Outcome, TableError> {
        let Some(request) = envelope.request else {
            return self.carry_out(&envelope.command);
        };
        let key = keys::request(request);
        if let Some(answer) = rows::get(self.tables, Table::Requests, &key, Outcome::decode)? {
            return Ok(answer);
        }
        let outcome = self.carry_out(&envelope.command)?;
        self.remember(request, &outcome)?;
        Ok(outcome)
    }

    fn remember(&mut self, request: RequestId, outcome: &Outcome) -> Result<(), TableError> {
        self.counters.serial = self.counters.serial.saturating_add(1);
        let order = keys::request_order(self.counters.serial);
        self.tables.put(Table::Requests, &order, &request.0.to_be_bytes())?;
        let value = outcome.encode(&mut self.scratch);
        self.tables.put(Table::Requests, &keys::request(request), value)?;

        let remembered = self.tables.len(Table::Requests)? / 2;
        if remembered > REQUEST_IDS_MAX as u64 { self.forget_oldest() } else { Ok(()) }
    }

    fn forget_oldest(&mut self) -> Result<(), TableError> {
        let mut oldest = None;
        let orders = keys::request_orders();
        rows::scan(
            self.tables,
            Table::Requests,
            orders.range(),
            Order::Ascending,
            |key, value| {
                oldest = Some((keys::Key::of(&[key]), keys::parse_request(value)?));
                Ok(std::ops::ControlFlow::Break(()))
            },
        )?;
        if let Some((order, request)) = oldest {
            self.tables.delete(Table::Requests, &order)?;
            self.tables.delete(Table::Requests, &keys::request(request))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "requests_test.rs"]
mod tests;

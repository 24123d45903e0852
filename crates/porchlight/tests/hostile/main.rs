//! Porchlight among enemies: bad input, rude clients, odd but lawful forms of HTTP, a log that fails or
//! dawdles, clients that vanish. Everything goes over real sockets to a server in this process; what nobody may normalise is sent as bytes.
//! And the threat model: that what it says is shown by a test is.

mod bad_input;
mod dead_endpoint;
mod disconnects;
mod egress;
mod faults;
mod forged_tokens;
mod https;
mod rude_clients;
mod slow_requests;
mod support;
mod threat_model;
mod tls;
mod wire_forms;

//! The API, row by row of its specification: over HTTP, on a clock that stands still until it is moved (in
//! `cluster_nats` it is the system's).
//!
//! A test whose name begins with `t` and a number is that case of presence-api 21, one with `e` and a number that row
//! of 16.3; with `s30_t` and a number that case of subscriptions-and-auth 30, with `s8_e` that row of 8.2. The others are
//! in files by subject and name the section that they hold the server to.

mod actions;
mod authorization;
mod batch;
mod batch_steps;
mod beta;
mod board;
mod cluster;
mod cluster_nats;
mod collection;
mod complaints;
mod delta;
mod development;
mod errors;
mod errors_of_arguments;
mod headers;
mod issuer;
mod issuer_codes;
mod issuer_support;
mod issuers;
mod locations;
mod notification_options;
mod notifications;
mod openapi;
mod out_of_office;
mod patch;
mod patch_pairs;
mod paths;
mod people;
mod people_changes;
mod people_deleted;
mod people_forgotten;
mod people_search;
mod permission_matrix;
mod polling;
mod preferred;
mod quirks;
mod rate_limits;
mod reading;
mod restart;
mod scim;
mod scim_errors;
mod scim_lists;
mod scim_patch;
mod scim_support;
mod select;
mod sessions;
mod small_rules;
mod snapshots;
mod status_messages;
mod streams;
mod strict;
mod subscription_errors;
mod subscriptions;
mod subscriptions_support;
mod support;
mod tenants;
mod tokens;

//! Lets the libraries of the process find the seed's `getrandom`, see `randomness.rs`.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol=getrandom");
    println!("cargo::rerun-if-changed=build.rs");
}

-- Prosody with as much as presence needs and no more. The benchmark fills in the port.
run_as_root = true
daemonize = false
pidfile = "prosody.pid"
data_path = "data"

interfaces = { "127.0.0.1" }
c2s_ports = { @PORT@ }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true

-- Logging in then costs it no hash.
authentication = "internal_plain"

modules_enabled = { "roster", "saslauth", "register_ibr" }
modules_disabled = { "s2s", "offline" }
allow_registration = true

log = { { levels = { min = "warn" }, to = "console" } }

VirtualHost "bench.example"

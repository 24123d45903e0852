//! The paths of the issuer.

/// What a path of the issuer leads to. No version of the API is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint<'p> {
    /// What the path calls the tenant.
    pub(super) tenant: &'p str,
    pub(super) kind: Kind<'p>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'p> {
    /// OpenID's discovery of version 2.0.
    Discovery,
    Token,
    DeviceCode,
    Authorize,
    Logout,
    /// Which hosts are one cloud: asked by libraries before they trust a host.
    Instance,
    /// How the user of this name signs in: asked by libraries before they send a password.
    UserRealm(&'p str),
}

impl<'p> Endpoint<'p> {
    /// The endpoint of a path, if it is the path of one.
    pub(crate) fn at(path: &'p str) -> Option<Endpoint<'p>> {
        let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
        let kind = match rest {
            "v2.0/.well-known/openid-configuration" => Kind::Discovery,
            "oauth2/v2.0/token" => Kind::Token,
            "oauth2/v2.0/devicecode" => Kind::DeviceCode,
            "oauth2/v2.0/authorize" => Kind::Authorize,
            "oauth2/v2.0/logout" => Kind::Logout,
            "discovery/instance" if tenant == "common" => Kind::Instance,
            _ if tenant == "common" => {
                let user = rest.strip_prefix("userrealm/")?;
                Kind::UserRealm(Some(user).filter(|user| !user.is_empty() && !user.contains('/'))?)
            }
            _ => return None,
        };
        Some(Endpoint { tenant, kind })
    }

    /// The methods that it has.
    pub(crate) fn methods(self) -> &'static [&'static str] {
        self.kind.methods()
    }

    /// Whether the path leads somewhere without the issuer, too.
    pub(crate) fn is_shared(self) -> bool {
        self.kind == Kind::Discovery
    }
}

impl Kind<'_> {
    fn methods(self) -> &'static [&'static str] {
        match self {
            Kind::Discovery | Kind::Logout | Kind::Instance | Kind::UserRealm(_) => &["GET", "HEAD"],
            Kind::Token => &["POST"],
            Kind::DeviceCode | Kind::Authorize => &["GET", "HEAD", "POST"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_issuer_are_told_from_others() {
        let table = [
            ("/common/v2.0/.well-known/openid-configuration", Some(("common", Kind::Discovery))),
            ("/porchlight.example/oauth2/v2.0/token", Some(("porchlight.example", Kind::Token))),
            ("/organizations/oauth2/v2.0/devicecode", Some(("organizations", Kind::DeviceCode))),
            ("/common/oauth2/v2.0/authorize", Some(("common", Kind::Authorize))),
            ("/common/oauth2/v2.0/logout", Some(("common", Kind::Logout))),
            ("/common/discovery/instance", Some(("common", Kind::Instance))),
            ("/common/userrealm/ada%40x", Some(("common", Kind::UserRealm("ada%40x")))),
            ("/common/userrealm/", None),
            ("/common/userrealm/a/b", None),
            ("/x/discovery/instance", None),
            ("/x/userrealm/ada", None),
            ("/common/.well-known/openid-configuration", None),
            ("/common/discovery/v2.0/keys", None),
            ("/common/oauth2/token", None),
            ("/a/b/oauth2/v2.0/token", None),
            ("/oauth2/v2.0/token", None),
            ("/v1.0/me/presence", None),
            ("/", None),
        ];
        for (path, expected) in table {
            let found = Endpoint::at(path).map(|endpoint| (endpoint.tenant, endpoint.kind));
            assert_eq!(found, expected, "{path}");
        }
    }
}

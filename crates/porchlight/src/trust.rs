//! `porchlight trust`: how clients are told to accept development's https. It prints, and changes nothing itself.

use std::path::Path;

use crate::cli::TrustFlags;
use crate::dev_ca;
use crate::exit::{Failure, USAGE};
use crate::say;

/// What each platform and SDK wants to be told, with `{ca}` for the certificate's file.
const LINES: &str = r"
It can vouch for localhost, this machine's name and the names of --https-name, and for nobody else.
Paste what fits; what takes it back stands below each.

curl
  curl --cacert {ca} https://localhost:8443/porchlight/health

Debian, Ubuntu
  sudo cp {ca} /usr/local/share/ca-certificates/porchlight-development.crt
  sudo update-ca-certificates
undo:
  sudo rm /usr/local/share/ca-certificates/porchlight-development.crt
  sudo update-ca-certificates --fresh

Fedora, Red Hat
  sudo cp {ca} /etc/pki/ca-trust/source/anchors/porchlight-development.pem
  sudo update-ca-trust
undo:
  sudo rm /etc/pki/ca-trust/source/anchors/porchlight-development.pem
  sudo update-ca-trust

macOS
  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {ca}
undo:
  sudo security remove-trusted-cert -d {ca}

Windows, for the user who types it in PowerShell; first copy the file there as porchlight-ca.pem
  certutil -user -addstore Root porchlight-ca.pem
undo:
  Get-ChildItem Cert:\CurrentUser\Root | Where-Object Subject -like '*Porchlight development CA*' | Remove-Item

Firefox
  Settings, Privacy & Security, View Certificates, Authorities, Import
undo:
  the same list: Porchlight development CA, Delete or Distrust

Chrome and Chromium on Linux (certutil is in libnss3-tools or nss-tools)
  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n porchlight-development -i {ca}
undo:
  certutil -d sql:$HOME/.pki/nssdb -D -n porchlight-development

Docker: as in a line for its SDK below, with the file in the container
  docker run -v {ca}:/porchlight-ca.pem:ro -e SSL_CERT_FILE=/porchlight-ca.pem …

Node.js
  export NODE_EXTRA_CA_CERTS={ca}
undo:
  unset NODE_EXTRA_CA_CERTS

Python: httpx, which msgraph-sdk uses, and requests. Nobody else is trusted meanwhile
  export SSL_CERT_FILE={ca} REQUESTS_CA_BUNDLE={ca}
undo:
  unset SSL_CERT_FILE REQUESTS_CA_BUNDLE

Go; and .NET and PowerShell on Linux. On macOS and Windows they go by the system's store, see above
  export SSL_CERT_FILE={ca}
undo:
  unset SSL_CERT_FILE

Java
  keytool -importcert -noprompt -cacerts -storepass changeit -alias porchlight-development -file {ca}
undo:
  keytool -delete -cacerts -storepass changeit -alias porchlight-development
";

/// Says where the authority is, and how it is trusted.
pub(crate) fn run(flags: &TrustFlags) -> Result<(), Failure> {
    let (file, place) = match &flags.url {
        None => {
            let file = dev_ca::file(&flags.data);
            if !file.exists() {
                return Err(Failure::usage(format!(
                    "there is no development CA in {}: start porchlight serve --dev once with this data folder, which \
                     makes one, or name a running server by --url",
                    flags.data.display()
                )));
            }
            (file, "The development CA is in".to_owned())
        }
        Some(url) if url.starts_with("http://") => {
            let url = url.trim_end_matches('/');
            let fetch = format!(
                "Fetch the development CA, on the machine that the server runs on:\n\n  curl -o porchlight-ca.pem {}",
                quoted(&format!("{url}/porchlight/dev/ca"))
            );
            (Path::new("porchlight-ca.pem").to_owned(), format!("{fetch}\n\nThen it is in"))
        }
        Some(_) => return Err(Failure::usage("the url must begin with http://")),
    };
    let file = std::path::absolute(&file).map_err(|error| Failure::new(USAGE, error))?;
    let file = file.display().to_string();
    say(&format!("{place}\n\n  {file}\n{}", LINES.replace("{ca}", &quoted(&file)).trim_end()));
    Ok(())
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_something_else_in_it_is_quoted() {
        assert_eq!(quoted("/srv/data/ca.pem"), "/srv/data/ca.pem");
        assert_eq!(quoted("/my data/ca.pem"), "'/my data/ca.pem'");
        assert_eq!(quoted("/ada's/ca.pem"), r"'/ada'\''s/ca.pem'");
    }
}

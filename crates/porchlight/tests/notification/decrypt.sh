#!/usr/bin/env bash
# Decrypts one item of a rich notification as its receivers do, with the OpenSSL command line.
#
#   decrypt.sh key.pem < item.json
#
# The item holds {"encryptedContent": {"data", "dataSignature", "dataKey"}}, the PEM file the private key. Exit status
# 0: the resource is on standard output. 1: the item is not what its signature says, or not for this key; the reason is
# on stderr. 2: wrong arguments.
#
# Source of the steps: Graph, "Set up Microsoft Graph change notifications with resource data", section "Decrypting
# resource data".
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: decrypt.sh key.pem < item.json" >&2
  exit 2
fi
private_key=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tr -d ' \n' >"$folder/item"

fail() { # what is wrong
  echo "$1" >&2
  exit 1
}

bytes() { # the member whose base64 to decode
  local text
  text=$(sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$folder/item")
  [ -n "$text" ] || fail "the item has no $1"
  openssl base64 -d -A <<<"$text"
}

bytes data >"$folder/data"
bytes dataSignature >"$folder/signature"
bytes dataKey >"$folder/sealed-key"

openssl pkeyutl -decrypt -inkey "$private_key" -in "$folder/sealed-key" -out "$folder/key" \
  -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1 -pkeyopt rsa_mgf1_md:sha1 || fail "the key is not for us"
key=$(od -An -v -tx1 "$folder/key" | tr -d ' \n')
[ ${#key} -eq 64 ] || fail "the key is not one of 256 bits"
openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary -out "$folder/expected" "$folder/data"
cmp -s "$folder/expected" "$folder/signature" || fail "the signature is not that of the data"
# The first half of the key is the initialisation vector as well.
openssl enc -d -aes-256-cbc -K "$key" -iv "${key:0:32}" -in "$folder/data" || fail "the data cannot be read"
echo

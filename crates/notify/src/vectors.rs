//! The test vectors of subscriptions-and-auth 16. The key pair is for tests alone.

/// Vector A: the resource.
pub(crate) const A_RESOURCE: &str = r##"{"@odata.id":"users/8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01/presence","@odata.type":"#microsoft.graph.presence","id":"8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01","availability":"Busy","activity":"InAMeeting"}"##;

/// Vector A: the encrypted resource.
pub(crate) const A_DATA: &str = "\
    nTMpSZJYXuOeut0pe+fp1vjDUEZbrU2QU3dNDVJh7nGkFKjYAv9E6E+s3qZN4qBRl5tjLOVp7eJ+CNNfxrmoVaaKVUxykD99LA28\
    AsEnAyCp/qri8GM01DjY4XLaV0ciw/RfYea/s9STQurbGZfodZVU4+LZiZbOPVH7xtYl9if9lw/7HWqpLbxv8B5upc2FZ7Uy0H4W\
    eE3L6OwpCZ5lnp5MUz0SnOIlNSQTf2UMeLo47fLh+lQzhS+sEtr7CYR0EeQd6oa9RQkxW6LmbBBAiQ==";

/// Vector A: its signature.
pub(crate) const A_SIGNATURE: &str = "miw6faHTEfRE+qEDB4H1nEDG2bgaPjK24W6xUvcvGn4=";

/// Vector A: the encrypted key, as somebody else has made it.
pub(crate) const A_KEY: &str = "\
    gPsOOU8hKOcRjLvFvEaQpfjrAi81mdLxJP9ZEPrVyTfZ6tDZnfJvXjb+ESCaE88309mCix1uVv8WfjtVJsCoo9CfS80Z/K1GDHzi\
    EmTBLoqg87VBAZwyKHaW4kaof5WFh/YJLhGDRYY7r6UWbGqnGAHqteYgjx3t4ah1in5CgHkWt0cj8uu5U6XCIgs/vnq2igngKbpB\
    XRbVZaweFfboY42S2LmZO3UXr6+U/yV9scKmVFc71hLOtJ8i9OE+PekTjp/4wIeWDftbOvSjdimGv/IqgR/DSRjNIlX8i5Uedr51\
    yRTu00YP3Gs8X4IukpyevQwmbbfYCb+e/TGRp4sfNA==";

/// Vector A: the certificate, in DER.
pub(crate) const A_CERTIFICATE: &str = "\
    MIICuzCCAaOgAwIBAgIBATANBgkqhkiG9w0BAQsFADAhMR8wHQYDVQQDDBZwb3JjaGxpZ2h0LXRlc3QtdmVjdG9yMB4XDTI1MDEw\
    MTAwMDAwMFoXDTQ1MDEwMTAwMDAwMFowITEfMB0GA1UEAwwWcG9yY2hsaWdodC10ZXN0LXZlY3RvcjCCASIwDQYJKoZIhvcNAQEB\
    BQADggEPADCCAQoCggEBAKGHMh7+qBr+37xnoKTd4f34yXBES+Kav1dRqIInC9meoQz2CEyxLsvL385NTSmxjoBbJ1SMwOY+vLTa\
    bGsCFFDb4OPEhGBt1cHPVbdVrSSUCaxQ9arbjTgFZDDrYUrr0PZ7Rnn0eDYda7/FI/Hv67lyPKxn/ieSQjXllDeLpwQdsYwNY0gJ\
    J/qNbI2xOFEJMTeCukN/NWyWzHLwO5TEv37jI10ZS6afwdFYDjC5dryHX8spbeZHixWaWZdBUUJuEGrChTOZmU3w3IiJY4MPcLYz\
    GISgZ1+X3LwazYOQbwLxffnghMFmulzTdsty6eELrqTDMP3faNHtkTzuXHZHIz8CAwEAATANBgkqhkiG9w0BAQsFAAOCAQEAkBZW\
    xtx/zDlJo5oEbgzNMPKccHR+EZl6/ArVEEd2L7uLLw5N5goiI2vOBHzNPYmoq/dxfyrkMhGAQcoIytnYzfOoRsP6OeQBy+e9MbSJ\
    uqmV6FMi0KrWpZFL8g//zX+zbH7BeEvHfMGE8BLmylSaQYGBDa4A6AfR6mZjjoebcUlufoEC0364iikbZKi2FDXQvbhJNknBO8BW\
    5lVgLzV2KFoROi4wRlST0ntfVD/HLPKdncgKLReMI7d65rWqmrnyBzoKBRaSg9FQmODQHDE4F5kbJX3Q3LAPYgjLL+CUPspKqlEy\
    cpODewdDK2Vczyfz12I4OQq3Jl5epyp/bbCZ5g==";

/// Vector A: the thumbprint of the certificate.
pub(crate) const A_THUMBPRINT: &str = "16E258BE5644111805AE6A0F9B8F02B9A5FAB1D1";

/// Vector A: the private key, PKCS #8 in DER.
pub(crate) const A_PRIVATE_KEY: &str = "\
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQChhzIe/qga/t+8Z6Ck3eH9+MlwREvimr9XUaiCJwvZnqEM9ghM\
    sS7Ly9/OTU0psY6AWydUjMDmPry02mxrAhRQ2+DjxIRgbdXBz1W3Va0klAmsUPWq2404BWQw62FK69D2e0Z59Hg2HWu/xSPx7+u5\
    cjysZ/4nkkI15ZQ3i6cEHbGMDWNICSf6jWyNsThRCTE3grpDfzVslsxy8DuUxL9+4yNdGUumn8HRWA4wuXa8h1/LKW3mR4sVmlmX\
    QVFCbhBqwoUzmZlN8NyIiWODD3C2MxiEoGdfl9y8Gs2DkG8C8X354ITBZrpc03bLcunhC66kwzD932jR7ZE87lx2RyM/AgMBAAEC\
    ggEAFwIB4qZVXZsGVXjRSgqM4TcpwkMIKBvwu0hXX0qehn3w5L66yenHB6Jfm6wpHJI9AQ162bE+3Mz85ininY9rQ2U+cFMSpAWh\
    F/0ncXjTs80eX5wckhy5zcv+zHUKo7hZSHKgxEhNQzAHpAY5q4GIKx8Zg1lAu3Q62CB+bzcGMDCspDKvmXbjmvTy1TidLHORjtFs\
    G1tCJFT0XtvyQcgDuTYV+b0o9jcGzK43+J5XCK8m1+ePo6qukPbSI79dqB+ikDOTKIJfu7Fezux37sWi9/mndcHUeTssOOx1km2L\
    UVLpbiDZDAdQrWzucICXtm/frXoSgnMZ5PBWEJFCjB4A2QKBgQDOzoYkScepG3QVDDqbC/++4lFOxRcVMRPhbcbljM1yNT5wIdrQ\
    yOWEoFGqqAw7bYQHIoJon96OobIvsQu0+uyjnpbqdAmcAAHAEidS4T0480kezgsKrph0NJ1csUugdQIpyYg21sw8NtmqPx+VIy/r\
    7hYwTyvTPD5l4ZGBeVrbowKBgQDH828sc15z/Q7RIAPH1FUpwlb+DU0upCFMRQXDra4KF+3xkfs+zElO1TzHjXCbgp6MwyHyLpHz\
    Yp6OQRrjgznwp7FsEiXhcK1O2+zjNj/5dycXQ8CoYQo6bWs3wXt4Hl5716Yuyz+QXWHgJOjy3aBbl0hUqrVUetSFMxGE+hxTtQKB\
    gQCKqyB3JKGkWqwzkMebPyh1Lfum/bDEnOvftGQxd4AqnFkJhynZ5VtA2t7nt1a8Ymqs/g7DaK8qpHF+WRCogbg63hQDkVsAJ2EF\
    EScdA7qxfTACX9Y3i2reQIljpd438T1KF8AmRVEc7wp0hW7/6WAwqqxmKDASq8qLNf0C/ARYUQKBgGeORmfJIIQF7eSVJiAacjj8\
    c72D+hNL4gr0PHYJv3duyUcxieQOPXFcsuvO7yE7Vw4kCbK6N9DLpL6cLWbjkeB3mUYVaBUIHFoZQOi0MhHrig1cg60xBPEZtkvc\
    Iywk3l5ZY7IchcEo/AXwV81gxypogYeIGf2019hciJhMSNt5AoGBAKrFxWV1UJtsUpJY0Q2ORNds5yn2UlQRX/GagBaEuoV/XYom\
    C9vpTOBm8mVa5GWhcELLU16sUZuI3e1nz6boy0DeD//iSHWxaxix0Wh7JdrbdH8oSfBofo0lA3MmQfNCPhXJsJYoq1mU8P9yVgTu\
    4uHwNRvjzQT6tnB0IFHcu7st";

/// Vector B: the resource, of a whole number of blocks.
pub(crate) const B_RESOURCE: &str = r#"{"activity":"Außer Haus","n":12               }"#;

/// Vector B: the encrypted resource.
pub(crate) const B_DATA: &str =
    "/35/IT2WgHNq81mImogAkrxtCJsFZZL4twG+lY5SDZVxrWYJr1rCaoy4qzRdWlD8s00LyedoWyJn+r2MFr3A6g==";

/// Vector B: its signature.
pub(crate) const B_SIGNATURE: &str = "HxafuMULuU9azOTTY08pVd0T8s+ACElRiX8x35OaVYo=";

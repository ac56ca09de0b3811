internal import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    package static let digestBytes = 32

    /// The digest of `message`, 32 bytes.
    package static func digest(_ message: some Sequence<UInt8>) -> [UInt8] {
        withContiguousBytes(message) { bytes in
            [UInt8](unsafeUninitializedCapacity: digestBytes) { digest, count in
                // Safety: OpenSSL writes exactly 32 bytes.
                COpenSSL.SHA256(bytes.baseAddress, bytes.count, digest.baseAddress)
                count = digestBytes
            }
        }
    }
}

/// HMAC with SHA-256 (RFC 2104, RFC 4231).
package enum HMACSHA256 {
    package static let codeBytes = 32

    /// The authentication code of `message`, 32 bytes.
    package static func authenticate(_ message: some Sequence<UInt8>, key: some Sequence<UInt8>) -> [UInt8] {
        withContiguousBytes(key) { key in
            withContiguousBytes(message) { message in
                [UInt8](unsafeUninitializedCapacity: codeBytes) { code, count in
                    var length: UInt32 = 0
                    // Safety: OpenSSL writes the digest's 32 bytes. A key of no bytes still needs an address.
                    let done = withUnsafePointer(to: 0 as UInt8) { nothing in
                        HMAC(
                            EVP_sha256(),
                            key.baseAddress ?? UnsafeRawPointer(nothing),
                            Int32(key.count),
                            message.baseAddress,
                            message.count,
                            code.baseAddress,
                            &length,
                        )
                    }
                    precondition(done != nil && length == codeBytes, "OpenSSL has no SHA-256")
                    count = codeBytes
                }
            }
        }
    }

    /// Whether `code` authenticates `message`, in a time that does not tell how much of it is right.
    package static func verify(
        _ code: [UInt8],
        of message: some Sequence<UInt8>,
        key: some Sequence<UInt8>,
    ) -> Bool {
        let expected = authenticate(message, key: key)
        return code.count == expected.count && CRYPTO_memcmp(code, expected, expected.count) == 0
    }
}

/// OpenSSL's random numbers for secrets.
package enum SecureRandom {
    /// `count` bytes nobody can foresee.
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let status = RAND_bytes(buffer.baseAddress, Int32(count))
            precondition(status == 1, "the system gives no random bytes")
            filled = count
        }
    }
}

/// Gives `body` the bytes in one piece.
private func withContiguousBytes<Result>(
    _ bytes: some Sequence<UInt8>,
    _ body: (UnsafeRawBufferPointer) -> Result,
) -> Result {
    if let result = bytes.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return result }
    return [UInt8](bytes).withUnsafeBytes(body)
}

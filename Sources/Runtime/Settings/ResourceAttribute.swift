internal import Text

/// An attribute of an OpenTelemetry resource, which describes the process.
package struct ResourceAttribute: Sendable, Hashable {
    package static let serviceName = "service.name"

    package let key: String
    package let value: String
}

extension SettingFormat<ResourceAttribute> {
    /// `key=value`; both parts may be percent-encoded.
    package static var resourceAttribute: Self {
        Self("`key=value`, percent-encoded where it holds a comma or an equals sign") { text in
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(\.trimmingBlanks)
            guard parts.count == 2, let key = PercentEncoding.decode(parts[0]), !key.isEmpty,
                let value = PercentEncoding.decode(parts[1]),
                key != ResourceAttribute.serviceName || !value.isEmpty,
                !(key + value).unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
            else { return nil }
            return ResourceAttribute(key: key, value: value)
        }
    }
}

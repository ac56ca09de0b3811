internal import Cryptography
internal import FoundationEssentials

/// The files of the web page, read into memory once.
package struct WebAssets: Sendable {
    struct Asset: Sendable {
        let bytes: [UInt8]
        let contentType: String
        /// Entity tag: a digest of the bytes.
        let tag: String
    }

    private let assets: [String: Asset]

    /// For a server without a page.
    package static let none = WebAssets(assets: [:])

    private init(assets: [String: Asset]) { self.assets = assets }

    /// Reads every file below `directory`; skips hidden files and those of unknown types.
    ///
    /// Throws the file system's errors.
    package init(directory: String) throws {
        var assets: [String: Asset] = [:]
        let files = FileManager.default
        for path in try files.subpathsOfDirectory(atPath: directory) where !path.contains("/.") && !path.hasPrefix(".")
        {
            guard let type = Self.contentType(of: path), let data = files.contents(atPath: "\(directory)/\(path)")
            else {
                continue
            }
            let bytes = [UInt8](data)
            let tag = "\"\(Base64URL.encode(SHA256.digest(bytes).prefix(12)))\""
            assets[path] = Asset(bytes: bytes, contentType: type, tag: tag)
        }
        self.init(assets: assets)
    }

    subscript(path: String) -> Asset? { assets[path] }

    private static func contentType(of path: String) -> String? {
        switch path.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        case "woff2": "font/woff2"
        case "woff": "font/woff"
        case "ttf": "font/ttf"
        case "json", "webmanifest": "application/json"
        case "png": "image/png"
        default: nil
        }
    }
}

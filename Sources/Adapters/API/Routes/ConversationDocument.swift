internal import Application
internal import Domain
internal import Shared

/// The JSON of conversations and messages (contract, section 6).
enum ConversationDocument {
    static func json(_ conversation: Conversation) -> [UInt8] {
        JSONWriter.object { write(conversation, &$0) }
    }

    static func json(_ page: Page<Conversation, ConversationPlace>) -> [UInt8] {
        JSONWriter.object { json in
            json.member("items", array: page.items) { json, conversation in json.object { write(conversation, &$0) } }
            json.nullable("nextCursor", page.next?.cursor)
        }
    }

    static func json(_ page: Page<ConversationMessage, MessagePlace>) -> [UInt8] {
        JSONWriter.object { json in
            json.member("items", array: page.items) { json, message in json.object { write(message, &$0) } }
            json.nullable("nextCursor", page.next?.cursor)
        }
    }

    private static func write(_ conversation: Conversation, _ json: inout JSONWriter) {
        json.member("id", conversation.id.description)
        json.nullable("title", conversation.title)
        json.member("createdAt", conversation.createdAt.description)
        json.member("updatedAt", conversation.updatedAt.description)
    }

    private static func write(_ message: ConversationMessage, _ json: inout JSONWriter) {
        json.member("id", message.id)
        json.member("role", message.role.rawValue)
        json.member("content", message.content)
        json.member("correlationId", message.correlationID.description)
        json.member("status", message.status.rawValue)
        json.member("createdAt", message.createdAt.description)
    }
}

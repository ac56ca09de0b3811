package import Application

/// The use cases about accounts, and what they are done with.
package struct AccountServices {
    package let register: any CommandHandler<RegisterAccount>
    package let read: any QueryHandler<ReadAccount>
    package let change: any CommandHandler<ChangeAccount>
    package let delete: any CommandHandler<DeleteAccount>
    package let usage: any QueryHandler<ReadUsage>
    package let sessions: SessionServices
    package let keys: KeyServices
    package let admin: AdminServices
    /// What this process knows of withdrawn access; a withdrawal by one of these use cases counts here at once.
    package let withdrawn: WithdrawnAccess

    package init(
        register: any CommandHandler<RegisterAccount>,
        read: any QueryHandler<ReadAccount>,
        change: any CommandHandler<ChangeAccount>,
        delete: any CommandHandler<DeleteAccount>,
        usage: any QueryHandler<ReadUsage>,
        sessions: SessionServices,
        keys: KeyServices,
        admin: AdminServices,
        withdrawn: WithdrawnAccess
    ) {
        self.register = register
        self.read = read
        self.change = change
        self.delete = delete
        self.usage = usage
        self.sessions = sessions
        self.keys = keys
        self.admin = admin
        self.withdrawn = withdrawn
    }
}

/// The use cases about sessions.
package struct SessionServices {
    package let signIn: any CommandHandler<SignIn>
    package let refresh: any CommandHandler<RefreshSession>
    package let signOut: any CommandHandler<SignOut>
    package let signOutEverywhere: any CommandHandler<SignOutEverywhere>

    package init(
        signIn: any CommandHandler<SignIn>,
        refresh: any CommandHandler<RefreshSession>,
        signOut: any CommandHandler<SignOut>,
        signOutEverywhere: any CommandHandler<SignOutEverywhere>
    ) {
        self.signIn = signIn
        self.refresh = refresh
        self.signOut = signOut
        self.signOutEverywhere = signOutEverywhere
    }
}

/// The use cases about API keys.
package struct KeyServices {
    package let create: any CommandHandler<CreateAPIKey>
    package let list: any QueryHandler<ListAPIKeys>
    package let revoke: any CommandHandler<RevokeAPIKey>

    package init(
        create: any CommandHandler<CreateAPIKey>,
        list: any QueryHandler<ListAPIKeys>,
        revoke: any CommandHandler<RevokeAPIKey>
    ) {
        self.create = create
        self.list = list
        self.revoke = revoke
    }
}

/// The use cases of administrators.
package struct AdminServices {
    package let listAccounts: any QueryHandler<ListAccounts>
    package let changeAccount: any CommandHandler<ChangeAccountAsAdmin>
    package let deleteAccount: any CommandHandler<DeleteAccountAsAdmin>
    package let listDeadLetters: any QueryHandler<ListDeadLetters>
    package let redriveDeadLetter: any CommandHandler<RedriveDeadLetter>
    package let dropDeadLetter: any CommandHandler<DropDeadLetter>
    package let queueLevels: any QueryHandler<ReadQueueLevels>

    package init(
        listAccounts: any QueryHandler<ListAccounts>,
        changeAccount: any CommandHandler<ChangeAccountAsAdmin>,
        deleteAccount: any CommandHandler<DeleteAccountAsAdmin>,
        listDeadLetters: any QueryHandler<ListDeadLetters>,
        redriveDeadLetter: any CommandHandler<RedriveDeadLetter>,
        dropDeadLetter: any CommandHandler<DropDeadLetter>,
        queueLevels: any QueryHandler<ReadQueueLevels>
    ) {
        self.listAccounts = listAccounts
        self.changeAccount = changeAccount
        self.deleteAccount = deleteAccount
        self.listDeadLetters = listDeadLetters
        self.redriveDeadLetter = redriveDeadLetter
        self.dropDeadLetter = dropDeadLetter
        self.queueLevels = queueLevels
    }
}

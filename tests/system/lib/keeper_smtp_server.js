// npm's smtp-server behind doors of every kind, for lib/keeper.py.
//
//     keeper_smtp_server.js FOLDER CERTIFICATE KEY USER PASSWORD
//
// stdout gets a line of JSON when all are open: where they are.  Each letter
// becomes NUMBER.eml in FOLDER, its octets as they came, and then NUMBER.json.
"use strict";

const fs = require("fs");
const path = require("path");
const { SMTPServer } = require("/srv/node_modules/smtp-server");

const [folder, certificate, key, user, password] = process.argv.slice(2);
let count = 0;

function refusal(code, text) {
    return Object.assign(new Error(text), { responseCode: code });
}

function isKnown(auth) {
    if (auth.username !== user)
        return false;
    if (auth.method === "CRAM-MD5")
        return auth.validatePassword(password);
    return (auth.method === "XOAUTH2" ? auth.accessToken : auth.password) ===
        password;
}

function onAuth(auth, session, done) {
    if (isKnown(auth))
        done(null, { user: auth.method + " " + user });
    else
        done(refusal(535, "wrong user or password"));
}

function onRcptTo(address, session, done) {
    if (address.address.startsWith("nobody@"))
        done(refusal(550, "nobody of that name"));
    else
        done();
}

function keep(octets, session) {
    const { envelope, user, tlsOptions } = session;
    const file = path.join(folder, String(++count).padStart(4, "0"));
    fs.writeFileSync(file + ".eml", octets);
    fs.writeFileSync(file + ".new", JSON.stringify({
        sender: envelope.mailFrom.address,
        recipients: envelope.rcptTo.map(to => to.address),
        parameters: envelope.mailFrom.args,
        recipient_parameters: envelope.rcptTo.map(to => to.args),
        dsn: [envelope.dsn, ...envelope.rcptTo.map(to => to.dsn)],
        login: user || null,
        tls: tlsOptions ? tlsOptions.version : null,
    }));
    fs.renameSync(file + ".new", file + ".json");
}

function replyTo(recipient) {
    return recipient.address.startsWith("full@") ?
        refusal(452, "full") : "kept";
}

function onData(isLmtp, stream, session, done) {
    const pieces = [];
    stream.on("data", piece => pieces.push(piece));
    stream.on("end", () => {
        if (stream.sizeExceeded)
            return done(refusal(552, "too large"));
        keep(Buffer.concat(pieces), session);
        done(null, isLmtp ? session.envelope.rcptTo.map(replyTo) : "kept");
    });
}

function open(options, ...where) {
    const server = new SMTPServer({
        name: "mx.test.example",
        key: fs.readFileSync(key),
        cert: fs.readFileSync(certificate),
        authMethods: ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"],
        size: 6 << 20,
        hideDSN: false,
        disableReverseLookup: true,
        onAuth,
        onRcptTo,
        onData: onData.bind(null, options.lmtp),
        ...options,
    });
    return new Promise((resolve, reject) => {
        server.on("error", error => console.error(error.message));
        server.listen(...where, () => {
            const address = server.server.address();
            resolve(typeof address === "string" ? address :
                address.address + ":" + address.port);
        });
    });
}

async function main() {
    const clear = { disabledCommands: ["STARTTLS", "AUTH"], authOptional: true };
    const tcp = [0, "127.0.0.1"];
    console.log(JSON.stringify({
        "clear": await open(clear, ...tcp),
        "starttls": await open({}, ...tcp),
        "implicit": await open({ secure: true }, ...tcp),
        "lmtp": await open({ ...clear, lmtp: true }, ...tcp),
        "lmtp socket": await open({ ...clear, lmtp: true },
            path.join(folder, "lmtp.sock")),
    }));
}

main();

#ifndef LEMMA_CCURL_SHIM_H
#define LEMMA_CCURL_SHIM_H

/* libcurl's setters are variadic, and Swift does not import variadic functions: one typed shim per kind of value. */

#include <curl/curl.h>
#include <sys/socket.h>

static inline CURLcode lemma_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode lemma_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/* libcurl copies the string. */
static inline CURLcode lemma_curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode lemma_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

typedef size_t (*lemma_curl_data_callback)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode lemma_curl_set_data_callback(CURL *easy, CURLoption option, lemma_curl_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}

typedef int (*lemma_curl_prereq_callback)(void *context, char *, char *, int, int);

static inline CURLcode lemma_curl_set_prereq_callback(CURL *easy, lemma_curl_prereq_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
}

/* libcurl opens sockets without SOCK_CLOEXEC: child processes would inherit them and keep connections open. */
static inline curl_socket_t lemma_curl_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static inline CURLcode lemma_curl_keep_sockets(CURL *easy) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, lemma_curl_open_socket);
}

typedef int (*lemma_curl_socket_callback)(CURL *easy, curl_socket_t socket, int what, void *context, void *poll);
typedef int (*lemma_curl_timer_callback)(CURLM *multi, long milliseconds, void *context);

static inline CURLMcode lemma_curl_multi_set_callbacks(CURLM *multi, lemma_curl_socket_callback on_socket,
                                                       lemma_curl_timer_callback on_timer, void *context) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
    return code;
}

static inline CURLMcode lemma_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/* Seconds from the response's Retry-After, which may also be a date; 0 without one. */
static inline long long lemma_curl_retry_after(CURL *easy) {
    curl_off_t seconds = 0;
    return curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK ? seconds : 0;
}

/* Bytes of the request written so far, on all connections. */
static inline long lemma_curl_request_size(CURL *easy) {
    long bytes = 0;
    return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK ? bytes : 0;
}

/* The next finished transfer, or NULL when there is none. */
static inline CURL *lemma_curl_multi_next_done(CURLM *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}

#endif

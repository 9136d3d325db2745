/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/oauth_post.h"

struct http_request *oauth_post(struct http_client *http, const struct oauth_config *c, const char *what,
                                struct str body, const struct http_events *events, void *ud)
{
    static const struct http_header headers[] = {{"Content-Type", "application/x-www-form-urlencoded"},
                                                 {"Accept", "application/json"}};
    struct buf url = BUF_INIT(0);
    oauth_add_url(&url, c, what);
    struct http_request *request = http_start(http,
                                              &(struct http_request_opts){
                                                  .method = "POST",
                                                  .url = buf_z(&url),
                                                  .headers = headers,
                                                  .header_count = sizeof(headers) / sizeof(headers[0]),
                                                  .body = body,
                                                  .max_answer = OAUTH_ANSWER_MAX,
                                                  .stall_s = OAUTH_ANSWER_S,
                                                  .timeout_s = OAUTH_ANSWER_S,
                                                  .once = true,
                                              },
                                              events, ud);
    buf_done(&url);
    return request;
}

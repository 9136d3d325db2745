/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/keyword_sets.h"

#include <string.h>

#include "bridge/base/arena.h"
#include "bridge/base/mem.h"
#include "bridge/base/rand.h"
#include "bridge/names.h"

struct set {
    struct str categories; /* as given: what sets are compared by */
    struct str *keywords;
    size_t count;
    unsigned marks;
};

struct keyword_sets {
    struct arena arena;
    struct set *sets;
    size_t count, size;
    uint32_t *slots; /* open addressing: set number + 1; twice as many as sets, a power of two */
    size_t slot_count;
    struct str *all;
    size_t all_count, all_size;
    uint64_t seed; /* names come from outside */
};

static size_t hash(const struct keyword_sets *k, struct str s)
{
    uint64_t h = k->seed;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x9fb21c651e98df25ULL;
    return (size_t)(h ^ (h >> 29));
}

static void rehash(struct keyword_sets *k)
{
    mem_free(k->slots);
    k->slot_count = k->slot_count ? k->slot_count * 2 : 64;
    k->slots = mem_array(k->slot_count, sizeof(*k->slots));
    for (size_t i = 0; i < k->count; i++) {
        size_t at = hash(k, k->sets[i].categories) & (k->slot_count - 1);
        while (k->slots[at])
            at = (at + 1) & (k->slot_count - 1);
        k->slots[at] = (uint32_t)i + 1;
    }
}

static struct str keyword(struct keyword_sets *k, struct str category)
{
    struct buf b = {0};
    names_keyword(&b, category);
    struct str found = buf_view(&b);
    for (size_t i = 0; i < k->all_count; i++)
        if (str_case_eq(k->all[i], found)) { /* keywords are case-insensitive (RFC 9051 2.3.2) */
            found = k->all[i];
            buf_done(&b);
            return found;
        }
    found = arena_str(&k->arena, found);
    buf_done(&b);
    if (k->all_count == k->all_size) {
        k->all_size = k->all_size ? k->all_size * 2 : 16;
        k->all = mem_realloc(k->all, k->all_size * sizeof(*k->all));
    }
    return k->all[k->all_count++] = found;
}

static void fill(struct keyword_sets *k, struct set *set, struct str categories)
{
    struct str rest = set->categories = arena_str(&k->arena, categories), one;
    size_t max = 0;
    for (size_t i = 0; i < categories.n; i++)
        max += categories.p[i] == '\n';
    set->keywords = arena_array(&k->arena, max + 1, sizeof(*set->keywords));
    while (set->count < max && str_cut(&rest, '\n', &one)) {
        if (one.n == 0)
            continue;
        unsigned mark = names_mark(one);
        set->marks |= mark;
        if (mark)
            continue;
        struct str word = keyword(k, one);
        bool twice = false;
        for (size_t i = 0; i < set->count; i++)
            twice = twice || str_eq(set->keywords[i], word);
        if (!twice)
            set->keywords[set->count++] = word;
    }
}

uint32_t keyword_sets_add(struct keyword_sets *k, struct str categories)
{
    if (categories.n == 0)
        return 0;
    size_t at = hash(k, categories) & (k->slot_count - 1);
    for (; k->slots[at]; at = (at + 1) & (k->slot_count - 1))
        if (str_eq(k->sets[k->slots[at] - 1].categories, categories))
            return k->slots[at] - 1;
    if (k->count == k->size) {
        k->size = k->size ? k->size * 2 : 16;
        k->sets = mem_realloc(k->sets, k->size * sizeof(*k->sets));
    }
    k->sets[k->count] = (struct set){0};
    fill(k, &k->sets[k->count], categories);
    k->slots[at] = (uint32_t)++k->count;
    uint32_t number = (uint32_t)k->count - 1;
    if (k->count * 2 > k->slot_count)
        rehash(k);
    return number;
}

struct keyword_sets *keyword_sets_new(void)
{
    struct keyword_sets *k = MEM_NEW(struct keyword_sets);
    rand_bytes(&k->seed, sizeof(k->seed));
    rehash(k);
    k->size = 16;
    k->sets = mem_array(k->size, sizeof(*k->sets));
    k->count = 1; /* set 0; not in the slots: the empty text never gets there */
    return k;
}

void keyword_sets_free(struct keyword_sets **k)
{
    if (!*k)
        return;
    arena_done(&(*k)->arena);
    mem_free((*k)->sets);
    mem_free((*k)->slots);
    mem_free((*k)->all);
    mem_free(*k);
    *k = NULL;
}

const struct str *keyword_sets_get(const struct keyword_sets *k, uint32_t set, size_t *ret_count)
{
    *ret_count = set < k->count ? k->sets[set].count : 0;
    return set < k->count ? k->sets[set].keywords : NULL;
}

unsigned keyword_sets_marks(const struct keyword_sets *k, uint32_t set)
{
    return set < k->count ? k->sets[set].marks : 0;
}

const struct str *keyword_sets_all(const struct keyword_sets *k, size_t *ret_count)
{
    *ret_count = k->all_count;
    return k->all;
}

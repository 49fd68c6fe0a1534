/* Colours of plots, report and explorer in grey print and to colour-blind eyes, read from the files that set them.
 *
 * Lightness is CIE L* (D65). Two colours are as far apart as they look to those who lack the long or the middle cones: both are projected,
 * in the space of cones of [vienot1999], on the plane through black, white and blue along the axis of the missing cones; the distance is
 * that of CIE L*a*b*. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/report.h"
#include "support/program.h"

enum { MOST = 16 };

/* What neighbours have to differ by, in L* and in distance; white paper and letters by the contrast that WCAG 2 asks of text. */
static const double LEAST_GREY = 10, LEAST_DISTANCE = 15, LEAST_CONTRAST = 4.5;

typedef struct colour {
    double at[3]; /* linear red, green, blue */
} colour;

typedef struct style {
    colour ink;
    char dash[32], point[128];
} style;

/* ---- colours ---- */

static colour parse(const char *hex)
{
    unsigned rgb[3];
    colour c;
    cr_assert(hex && sscanf(hex, "#%2x%2x%2x", &rgb[0], &rgb[1], &rgb[2]) == 3, "no colour: %.20s", hex ? hex : "");
    for (int k = 0; k < 3; k++) {
        const double s = rgb[k] / 255.0;
        c.at[k] = s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4);
    }
    return c;
}

static void multiply(double out[3], const double m[3][3], const double v[3])
{
    for (int r = 0; r < 3; r++)
        out[r] = m[r][0] * v[0] + m[r][1] * v[1] + m[r][2] * v[2];
}

static double luminance(colour c)
{
    return 0.2126729 * c.at[0] + 0.7151522 * c.at[1] + 0.0721750 * c.at[2];
}

static void lab(double out[3], colour c)
{
    static const double xyz[3][3] = {{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}};
    static const double white[3] = {0.95047, 1, 1.08883};
    double f[3], v[3];
    multiply(v, xyz, c.at);
    for (int k = 0; k < 3; k++) {
        const double t = v[k] / white[k];
        f[k] = t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
    }
    out[0] = 116 * f[1] - 16;
    out[1] = 500 * (f[0] - f[1]);
    out[2] = 200 * (f[1] - f[2]);
}

static double lightness(colour c)
{
    double v[3];
    lab(v, c);
    return v[0];
}

static double contrast(colour a, colour b)
{
    const double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
    return x > y ? x / y : y / x;
}

enum { LONG, MIDDLE }; /* cones */

static const double cones[3][3] = {{17.8824, 43.5161, 4.11935}, {3.45565, 27.1554, 3.86714}, {0.0299566, 0.184309, 1.46709}};

/* Cramer's rule. */
static void solve(double out[3], const double m[3][3], const double v[3])
{
    double whole = 0, part[3] = {0};
    for (int k = 0; k < 3; k++) {
        const int a = (k + 1) % 3, b = (k + 2) % 3;
        whole += m[0][k] * (m[1][a] * m[2][b] - m[1][b] * m[2][a]);
        part[k] = v[0] * (m[1][a] * m[2][b] - m[1][b] * m[2][a]) - m[0][a] * (v[1] * m[2][b] - m[1][b] * v[2]) + m[0][b] * (v[1] * m[2][a] - m[1][a] * v[2]);
    }
    for (int k = 0; k < 3; k++)
        out[k] = part[k] / whole;
}

static colour without(colour c, int missing)
{
    static const double white[3] = {1, 1, 1}, blue[3] = {0, 0, 1};
    const int x = (missing + 1) % 3, y = (missing + 2) % 3;
    double w[3], b[3], v[3];
    multiply(w, cones, white);
    multiply(b, cones, blue);
    multiply(v, cones, c.at);
    const double whole = w[x] * b[y] - b[x] * w[y];
    v[missing] = (w[missing] * b[y] - b[missing] * w[y]) / whole * v[x] + (w[x] * b[missing] - b[x] * w[missing]) / whole * v[y];
    solve(c.at, cones, v);
    for (int k = 0; k < 3; k++)
        c.at[k] = fmin(1, fmax(0, c.at[k]));
    return c;
}

/* The least distance, whichever of the two cones are missing. */
static double distance(colour a, colour b)
{
    double least = HUGE_VAL;
    for (int missing = LONG; missing <= MIDDLE; missing++) {
        double x[3], y[3];
        lab(x, without(a, missing));
        lab(y, without(b, missing));
        least = fmin(least, sqrt((x[0] - y[0]) * (x[0] - y[0]) + (x[1] - y[1]) * (x[1] - y[1]) + (x[2] - y[2]) * (x[2] - y[2])));
    }
    return least;
}

/* Colours and lines that are known: white is white, red and green look alike without middle cones where blue and yellow do not. */
Test(palette, simulation)
{
    const colour white = parse("#ffffff"), red = parse("#b84f00"), green = parse("#8a6d00"), grey = parse("#777777");
    cr_assert(fabs(lightness(white) - 100) < 0.01 && fabs(lightness(grey) - 50.03) < 0.1 && lightness(parse("#000000")) == 0, "L*");
    cr_assert(fabs(contrast(white, parse("#000000")) - 21) < 1e-4, "contrast");
    for (int missing = LONG; missing <= MIDDLE; missing++)
        for (int k = 0; k < 3; k++)
            cr_assert(fabs(without(white, missing).at[k] - 1) < 1e-9 && fabs(without(grey, missing).at[k] - grey.at[k]) < 1e-9, "greys stay");
    cr_assert(distance(red, green) < 12 && distance(parse("#0000ff"), parse("#ffff00")) > 100, "%.1f", distance(red, green));
}

/* ---- what is asked of a palette ---- */

/* What is wrong with lines of these styles in this order, the last beside the first too, on paper of one colour; "" when nothing is. */
static const char *fault_of_lines(const style *s, size_t count, colour paper)
{
    static char fault[200];
    *fault = '\0';
    for (size_t i = 0; i < count; i++) {
        const style *next = &s[(i + 1) % count];
        if (contrast(s[i].ink, paper) < LEAST_CONTRAST)
            snprintf(fault, sizeof fault, "%zu is too pale for letters: contrast %.2f", i + 1, contrast(s[i].ink, paper));
        if (fabs(lightness(s[i].ink) - lightness(next->ink)) < LEAST_GREY)
            snprintf(fault, sizeof fault, "%zu and the next are alike in grey: L* %.1f and %.1f", i + 1, lightness(s[i].ink), lightness(next->ink));
        if (distance(s[i].ink, next->ink) < LEAST_DISTANCE)
            snprintf(fault, sizeof fault, "%zu and the next are alike to colour-blind eyes: %.1f", i + 1, distance(s[i].ink, next->ink));
        for (size_t j = 0; j < i; j++)
            if (strcmp(s[i].dash, s[j].dash) == 0 && strcmp(s[i].point, s[j].point) == 0)
                snprintf(fault, sizeof fault, "%zu and %zu have the same dashes and points", j + 1, i + 1);
    }
    return fault;
}

/* The same of areas, which have nothing but their colours. */
static const char *fault_of_areas(const colour *c, size_t count)
{
    static char fault[200];
    *fault = '\0';
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (fabs(lightness(c[i]) - lightness(c[j])) < LEAST_GREY || distance(c[i], c[j]) < LEAST_DISTANCE)
                snprintf(fault, sizeof fault, "%zu and %zu: L* %.1f and %.1f, apart by %.1f", j + 1, i + 1, lightness(c[j]), lightness(c[i]), distance(c[i], c[j]));
    return fault;
}

/* The lines `set linetype N lc rgb '#...' pt P dt D lw W` of a text. */
static size_t linetypes(const char *text, style *out)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "\nset linetype ")); at++) {
        unsigned number;
        char hex[8];
        if (sscanf(at, " set linetype %u lc rgb '%7[^']' pt %31s dt %31s lw", &number, hex, out[count].point, out[count].dash) != 4)
            continue;
        cr_assert(count < MOST && number == count + 1, "linetype %u comes as number %zu", number, count + 1);
        out[count++].ink = parse(hex);
    }
    return count;
}

Test(palette, plots)
{
    style s[MOST];
    char *text = read_whole_file("plots/style.gp", NULL);
    const size_t count = linetypes(text, s);
    cr_assert(count == 8 && strstr(text, "\nset linetype cycle 8\n"), "%zu styles", count);
    const char *fault = fault_of_lines(s, count, parse("#ffffff"));
    cr_assert(!*fault, "plots/style.gp: %s", fault);
    free(text);
}

/* The rules see what they are for. */
Test(palette, bad_palettes_are_found)
{
    static const struct { const char *text, *fault; } bad[] = {
        {"\nset linetype 1 lc rgb '#000000' pt 7 dt 1 lw 1\nset linetype 2 lc rgb '#e69f00' pt 5 dt 2 lw 1\n", "pale"},
        {"\nset linetype 1 lc rgb '#c45500' pt 7 dt 1 lw 1\nset linetype 2 lc rgb '#257cb3' pt 5 dt 2 lw 1\n", "grey"},
        {"\nset linetype 1 lc rgb '#000000' pt 7 dt 1 lw 1\nset linetype 2 lc rgb '#00568f' pt 7 dt 1 lw 1\n", "same dashes"},
        {"\nset linetype 1 lc rgb '#b84f00' pt 7 dt 1 lw 1\nset linetype 2 lc rgb '#8a6d00' pt 5 dt 2 lw 1\n", "colour-blind"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        style s[MOST];
        const char *fault = fault_of_lines(s, linetypes(bad[i].text, s), parse("#ffffff"));
        cr_assert(strstr(fault, bad[i].fault), "case %zu: %s", i, fault);
    }
    const colour before[] = {parse("#0072b2"), parse("#e69f00"), parse("#b0b0b0")};
    cr_assert(*fault_of_areas(before, 3), "equal in grey");
}

/* ---- pages ---- */

/* The value of a property in a style sheet, in the rules for the dark or before them. */
static colour property(const char *css, bool dark, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "%s: ", name);
    const char *dark_rules = strstr(css, "prefers-color-scheme: dark"), *at = strstr(dark ? dark_rules : css, key);
    cr_assert(dark_rules && at && (dark || at < dark_rules), "no %s", name);
    return parse(at + strlen(key));
}

/* Copies from `at`, behind `key`, to a quote. */
static const char *quoted(const char *at, const char *key, char *out, size_t size)
{
    at = strstr(at, key);
    cr_assert(at, "no %s", key);
    at += strlen(key);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
    return at;
}

Test(palette, charts_of_the_report)
{
    report_point points[] = {{1, 1, (double)NAN, (double)NAN}, {2, 2, (double)NAN, (double)NAN}};
    char name_of_all[] = "x";
    report_series curves[MOST];
    style s[MOST];
    char *svg = NULL, *css = read_whole_file("harness/report/style.css", NULL);
    size_t size;
    for (size_t k = 0; k < MOST; k++)
        curves[k] = (report_series){name_of_all, points, 2};
    FILE *memory = open_memstream(&svg, &size);
    report_draw(memory, &(report_chart){.id = "x", .title = "x", .x = "x", .y = "y", .unit = "", .series = curves, .count = MOST});
    fclose(memory);
    for (int dark = 0; dark < 2; dark++) {
        const char *at = svg;
        for (size_t k = 0; k < MOST; k++) {
            char name[16] = "--";
            at = quoted(at, "<polyline class=\"s\" stroke=\"var(--", name + 2, sizeof name - 2);
            name[strcspn(name, ")")] = '\0';
            at = quoted(at, "stroke-dasharray=\"", s[k].dash, sizeof s[k].dash);
            at = quoted(at, " d=\"", s[k].point, sizeof s[k].point);
            s[k].ink = property(css, dark, name);
        }
        const char *fault = fault_of_lines(s, MOST, property(css, dark, "--panel"));
        cr_assert(!*fault, "%s: %s", dark ? "dark" : "light", fault);
    }
    free(svg);
    free(css);
}

/* Verdicts have shapes of their own. */
Test(palette, forest_of_the_report)
{
    enum { KINDS = 4 };
    comparison at[KINDS];
    char shapes[KINDS][128], *svg = NULL, text[] = "x";
    size_t size;
    for (size_t k = 0; k < KINDS; k++)
        at[k] = (comparison){.spec_a = text, .spec_b = text, .kernel_a = text, .kernel_b = text, .dtype = text, .direction = text, .n = 1,
                             .verdict = {.kind = (verdict_kind)k, .lo = -0.1, .hi = 0.1}};
    FILE *memory = open_memstream(&svg, &size);
    report_forest(memory, "x", "x", "x", &(comparisons){.at = at, .count = KINDS});
    fclose(memory);
    const char *mark = svg;
    for (size_t k = 0; k < KINDS; k++) {
        mark = quoted(strstr(mark, "<path class=\"m\""), " d=\"", shapes[k], sizeof shapes[k]);
        for (size_t j = 0; j < k; j++)
            cr_assert(strcmp(shapes[k], shapes[j]) != 0, "%s looks as %s does", verdict_name((verdict_kind)k), verdict_name((verdict_kind)j));
    }
    free(svg);
}

Test(palette, explorer_page)
{
    char *css = read_whole_file("harness/explorer/page.css", NULL);
    for (int dark = 0; dark < 2; dark++) {
        const colour areas[] = {property(css, dark, "--paper"), property(css, dark, "--allowed"), property(css, dark, "--reached")};
        const char *fault = fault_of_areas(areas, 3);
        cr_assert(!*fault, "%s: %s", dark ? "dark" : "light", fault);
    }
    free(css);
}

Test(palette, overlays)
{
    outcome o = attnlab("show local:k=4 strided:l=8 -n 32 --svg %s", scratch_path("o.svg"));
    cr_assert(o.exit_code == 0, "%s", o.err);
    char *svg = read_whole_file(scratch_path("o.svg"), NULL), hex[16];
    colour areas[4] = {parse("#ffffff")};
    const char *at = svg;
    for (size_t k = 1; k < 4; k++) {
        at = quoted(at, "<path fill=\"", hex, sizeof hex);
        areas[k] = parse(hex);
    }
    const char *fault = fault_of_areas(areas, 4);
    cr_assert(!*fault, "paper, A, B, both: %s", fault);
    free(svg);
    outcome_free(&o);
}

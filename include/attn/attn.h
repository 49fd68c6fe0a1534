/* All of libattn. */
#ifndef ATTN_ATTN_H
#define ATTN_ATTN_H

#include "attn/analysis.h"
#include "attn/explain.h"
#include "attn/layout.h"
#include "attn/oracle.h"
#include "attn/pattern.h"
#include "attn/plan.h"
#include "attn/spec.h"
#include "attn/status.h"
#include "attn/version.h"
#include "attn/wisdom.h"

#endif
